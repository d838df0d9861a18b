//! What a registry asks for: the `WWW-Authenticate` header (RFC 7235, 4.1).

/// A way to authenticate that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token of the server at `realm` (distribution: auth/token).
    Bearer {
        /// URL of the token server.
        realm: String,
        /// What the token server knows the registry as.
        service: Option<String>,
    },
}

/// Longest header that is parsed, in bytes.
const MAX_HEADER: usize = 8 << 10;

/// The best challenge of the header's values: a token before a password.
pub(super) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut basic = None;
    for challenge in headers
        .filter(|header| header.len() <= MAX_HEADER)
        .flat_map(parse)
    {
        match challenge {
            Challenge::Bearer { .. } => return Some(challenge),
            Challenge::Basic => basic = Some(challenge),
        }
    }
    basic
}

/// Parses one header value, which may hold several challenges. What can't be parsed ends the list.
fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut rest = header;
    let mut scheme = "";
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            break;
        }
        if let Some(value) = after.trim_start().strip_prefix('=') {
            let Some((value, after)) = parameter_value(value.trim_start()) else {
                break;
            };
            parameters.push((word.to_ascii_lowercase(), value));
            rest = after;
        } else {
            found.extend(challenge(scheme, std::mem::take(&mut parameters)));
            scheme = word;
            rest = after;
        }
    }
    found.extend(challenge(scheme, parameters));
    found
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Option<Challenge> {
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    for (key, value) in parameters {
        match key.as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer {
        realm: realm?,
        service,
    })
}

/// A token of RFC 7230 at the beginning of `text`, and what follows.
fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A value or a quoted string at the beginning of `text`, and what follows. Without quotes it may have
/// more than a token may: some registries leave them out around URLs.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '"']).unwrap_or(text.len());
        let (word, after) = text.split_at(end);
        return (!word.is_empty()).then(|| (word.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
        })
    }

    #[test]
    fn challenges_of_real_registries() {
        let one = |header: &'static str| choose([header].into_iter());
        assert_eq!(
            one(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull""#
            ),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        assert_eq!(
            one(r#"Basic realm="Registry Realm""#),
            Some(Challenge::Basic)
        );
        assert_eq!(
            one(r#"BASIC realm="x, Bearer realm=y", bearer service = s , realm="a\"b""#),
            bearer("a\"b", Some("s"))
        );
        assert_eq!(one("Basic realm=/"), Some(Challenge::Basic));
        assert_eq!(
            one("Negotiate, Bearer realm=https://a.example:5001/token?x=y,service=s"),
            bearer("https://a.example:5001/token?x=y", Some("s"))
        );
        assert_eq!(
            choose(["Negotiate", "Basic realm=x"].into_iter()),
            Some(Challenge::Basic)
        );
        assert_eq!(
            choose(["Basic realm=x", "Bearer realm=\"https://t\""].into_iter()),
            bearer("https://t", None)
        );
    }

    #[test]
    fn garbage_is_no_challenge() {
        for header in [
            "",
            "Bearer",
            "Bearer realm=\"x",
            "Negotiate",
            "=",
            "Bearer =x",
            "\u{e9}",
            ",,,",
        ] {
            assert_eq!(choose([header].into_iter()), None, "{header}");
        }
        let long = format!("Bearer realm=\"{}\"", "x".repeat(MAX_HEADER));
        assert_eq!(choose([long.as_str()].into_iter()), None);
    }
}
