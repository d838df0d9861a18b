//! Where a redirect leads to. As kubelets do it, one to the same host is followed, to whatever port; any other has answered
//! the question.

use std::net::IpAddr;

use pod::manifest::{HttpGetAction, Scheme};

/// How many of them are followed in a row.
pub(super) const REDIRECTS_MAX: u8 = 10;

/// A redirect leads to where nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAddress;

/// The next request for a redirect to `location`; `None` if it leads elsewhere.
pub(super) fn follow(
    action: &HttpGetAction,
    location: &str,
) -> Result<Option<HttpGetAction>, NoAddress> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, rest) = match location.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, Some(rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, Some(rest)),
        // A path may hold that, too.
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            let (authority, _) = split(rest);
            let (host, _) = host_and_port(authority).ok_or(NoAddress)?;
            // Another host has answered, however it would be asked.
            return match host.is_empty() || is_same_host(action, host) {
                true => Err(NoAddress),
                false => Ok(None),
            };
        }
        _ => (action.scheme, location.strip_prefix("//")),
    };
    let Some(rest) = rest else {
        let path = on_same_server(&action.path, location);
        return Ok(path.map(|path| HttpGetAction {
            path,
            ..action.clone()
        }));
    };
    let (authority, path) = split(rest);
    let (host, port) = host_and_port(authority).ok_or(NoAddress)?;
    if host.is_empty() {
        return Err(NoAddress);
    }
    let port = port.unwrap_or(match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    });
    let next = is_same_host(action, host).then(|| HttpGetAction {
        port,
        scheme,
        path: match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        },
        ..action.clone()
    });
    Ok(next)
}

/// The server, without who asks it, and what is asked for.
fn split(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map(|(_, host)| host);
    (host.unwrap_or(authority), path)
}

/// The path that stands for this one seen from another.
fn on_same_server(from: &str, to: &str) -> Option<String> {
    let from = from.split('?').next().unwrap_or_default();
    match to.bytes().next() {
        // It leads to where it is.
        None => None,
        Some(b'/') => Some(to.to_owned()),
        Some(b'?') => Some(format!("{from}{to}")),
        Some(_) => {
            let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
            Some(format!("{directory}/{to}"))
        }
    }
}

/// Whether the server that was asked may call itself so.
fn is_same_host(action: &HttpGetAction, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    let mut given = action
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"))
        .filter_map(|header| host_and_port(header.value.trim()));
    if given.any(|(name, _)| name.eq_ignore_ascii_case(host)) {
        return true;
    }
    match action.host {
        Some(asked) => address == Some(asked),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || address.is_some_and(|address| address.is_loopback())
        }
    }
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        None => None,
        Some("") => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use pod::manifest::Header;

    use super::*;

    fn asked() -> HttpGetAction {
        HttpGetAction {
            port: 8080,
            path: "/a/b?c".to_owned(),
            host: None,
            scheme: Scheme::Http,
            headers: Vec::new(),
        }
    }

    fn leads(action: &HttpGetAction, location: &str) -> Option<(Scheme, u16, String)> {
        let next = follow(action, location).unwrap();
        next.map(|next| (next.scheme, next.port, next.path))
    }

    #[test]
    fn the_same_host_is_asked_again() {
        use Scheme::{Http, Https};
        for (location, scheme, port, path) in [
            ("/x", Http, 8080, "/x"),
            (
                "/x?u=http://elsewhere.lan/",
                Http,
                8080,
                "/x?u=http://elsewhere.lan/",
            ),
            ("x#y", Http, 8080, "/a/x"),
            ("?d", Http, 8080, "/a/b?d"),
            ("http://localhost/x", Http, 80, "/x"),
            ("http://LOCALHOST:81", Http, 81, "/"),
            ("http://127.0.0.1:8080/x", Http, 8080, "/x"),
            ("http://[::1]:8080?x", Http, 8080, "/?x"),
            ("https://u:p@localhost/x", Https, 443, "/x"),
            ("//localhost:9/x", Http, 9, "/x"),
        ] {
            let expected = Some((scheme, port, path.to_owned()));
            assert_eq!(leads(&asked(), location), expected, "{location}");
        }
    }

    #[test]
    fn another_host_is_not() {
        for location in [
            "http://elsewhere.lan/",
            "http://10.0.0.1/",
            "https://localhost.lan/",
            "ftp://elsewhere.lan/",
            "",
            "#x",
        ] {
            assert_eq!(leads(&asked(), location), None, "{location}");
        }
    }

    #[test]
    fn what_is_no_address_is_neither() {
        for location in [
            "ftp://localhost/",
            "file:///",
            "http:///x",
            "http://localhost:99999/",
            "http://elsewhere.lan:x/",
            "http://[::1/",
        ] {
            assert_eq!(follow(&asked(), location), Err(NoAddress), "{location}");
        }
    }

    #[test]
    fn the_server_may_call_itself_as_it_was_called() {
        let mut action = asked();
        action.host = Some([10, 0, 0, 1].into());
        action.headers.push(Header {
            name: "host".to_owned(),
            value: "Shop.lan:80".to_owned(),
        });
        assert!(leads(&action, "http://shop.lan/x").is_some());
        assert!(leads(&action, "http://10.0.0.1/x").is_some());
        assert!(leads(&action, "http://localhost/x").is_none());
    }
}
