//! What URLs begin with.

use std::net::SocketAddr;

/// A text that no URL begins with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the base URL for streams, {0:?}, is not like http://HOST:PORT or https://HOST:PORT/PATH")]
pub struct BaseUrlError(String);

/// The beginning of all URLs of a server: without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseUrl {
    text: String,
    /// Where in it the path begins.
    path: usize,
}

impl BaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let failed = || BaseUrlError(text.to_owned());
        let trimmed = text.trim_end_matches('/');
        let scheme = ["http://", "https://"]
            .into_iter()
            .find(|scheme| trimmed.starts_with(scheme));
        let scheme = scheme.ok_or_else(failed)?.len();
        let plain = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}@".contains(c);
        let rest = trimmed.get(scheme..).unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || !rest.chars().all(plain) {
            return Err(failed());
        }
        Ok(Self {
            path: scheme + host.len(),
            text: trimmed.to_owned(),
        })
    }

    pub(super) fn of(address: SocketAddr, encrypted: bool) -> Self {
        let scheme = if encrypted { "https" } else { "http" };
        let text = format!("{scheme}://{address}");
        Self {
            path: text.len(),
            text,
        }
    }

    pub(super) fn url(&self, action: &str, token: &str) -> String {
        format!("{}/{action}/{token}", self.text)
    }

    /// The action and the token in a request's path.
    pub(super) fn split<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let base = self.text.get(self.path..).unwrap_or_default();
        let rest = path.strip_prefix(base)?.strip_prefix('/')?;
        let (action, token) = rest.split_once('/')?;
        (!token.is_empty() && !token.contains('/')).then_some((action, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_begin_with_it_and_requests_for_them_are_understood() {
        for (base, url, path) in [
            (
                "http://127.0.0.1:80",
                "http://127.0.0.1:80/exec/t",
                "/exec/t",
            ),
            ("https://node/", "https://node/exec/t", "/exec/t"),
            (
                "https://[::1]:1/a/b",
                "https://[::1]:1/a/b/exec/t",
                "/a/b/exec/t",
            ),
        ] {
            let base = BaseUrl::parse(base).unwrap();
            assert_eq!(base.url("exec", "t"), url);
            assert_eq!(base.split(path), Some(("exec", "t")));
        }
        let base = BaseUrl::of("[::1]:5".parse().unwrap(), true);
        assert_eq!(base.url("attach", "t"), "https://[::1]:5/attach/t");
        for path in ["", "/", "/exec", "/exec/", "/exec/t/", "exec/t", "//exec/t"] {
            assert!(
                base.split(path).is_none_or(|(action, _)| action.is_empty()),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "node:1",
            "ftp://node",
            "http://",
            "http:///a",
            "http://a b",
            "http://a?b",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
