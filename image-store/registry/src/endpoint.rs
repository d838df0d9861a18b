//! Where a registry is spoken to, and over what.

use std::net::{Ipv4Addr, Ipv6Addr};

use image_name::{DOCKER_HUB, Location};
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::config::Place;

/// The host that serves Docker Hub.
const HUB_HOST: &str = "registry-1.docker.io";

/// A repository of a registry as the client addresses it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// As the user names it, for messages and credentials.
    location: Location,
    host: String,
    plain: bool,
    /// Whether plain HTTP may take the place of TLS that is not there.
    may_fall_back: bool,
    plain_hosts: Vec<String>,
}

impl Endpoint {
    /// A place; plain HTTP for loopback and for `plain_hosts`, else TLS.
    pub(super) fn new(place: &Place, plain_hosts: &[String]) -> Self {
        let host = match place.location.registry() {
            DOCKER_HUB => HUB_HOST.to_owned(),
            registry => registry.to_owned(),
        };
        let mut plain_hosts = plain_hosts.to_vec();
        let may_fall_back = place.security.insecure || place.security.falls_back;
        if place.security.plain || may_fall_back {
            plain_hosts.push(host.clone());
        }
        // An insecure place may well speak TLS; it is asked for that first.
        let configured = may_be_plain(&host, &plain_hosts);
        let plain = configured && (place.security.plain || !may_fall_back);
        Self {
            location: place.location.clone(),
            host,
            plain,
            may_fall_back,
            plain_hosts,
        }
    }

    /// What is spoken to: a repository, or the registry itself.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// `HOST[:PORT]` of the registry.
    pub(super) fn registry(&self) -> &str {
        self.location.registry()
    }

    /// Whether plain HTTP is spoken.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Speaks TLS from now on, though plain HTTP would be allowed: there is TLS, whatever its
    /// certificate, so nothing falls back any more.
    pub(super) fn use_tls(&mut self) {
        self.plain = false;
        self.may_fall_back = false;
    }

    /// Whether TLS is only tried: what fails may be for its not being there.
    pub(super) fn tries_tls(&self) -> bool {
        self.may_fall_back && !self.plain
    }

    /// Goes over to plain HTTP, where that is allowed in the place of TLS; whether it is.
    pub(super) fn fall_back(&mut self) -> bool {
        let falls = self.tries_tls();
        self.plain |= falls;
        falls
    }

    /// The URL by which a registry says that it is one, and whether it knows the user.
    pub(super) fn base(&self) -> Option<Uri> {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/", self.host).parse().ok()
    }

    /// The URL of `suffix` (such as `manifests/latest`) in this repository.
    pub(super) fn url(&self, suffix: &str) -> Option<Uri> {
        let scheme = if self.plain { "http" } else { "https" };
        format!(
            "{scheme}://{}/v2/{}/{suffix}",
            self.host,
            self.location.path()
        )
        .parse()
        .ok()
    }

    /// Whether `url` is at the registry itself: the only place that gets credentials.
    pub(super) fn is_home(&self, url: &Uri) -> bool {
        self.base().is_some_and(|home| same_origin(&home, url))
    }

    /// Whether a URL that a registry answered with may be followed: TLS always; plain HTTP only
    /// from plain HTTP, and only to hosts to which it may be spoken.
    pub(super) fn may_follow(&self, url: &Uri) -> bool {
        self.why_not_followed(url).is_none()
    }

    /// What is against following a URL that a registry answered with.
    pub(super) fn why_not_followed(&self, url: &Uri) -> Option<&'static str> {
        let Some(authority) = url.authority().map(|authority| authority.as_str()) else {
            return Some("it names no host");
        };
        if authority.contains('@') {
            return Some("it holds a user name");
        }
        match url.scheme_str() {
            Some("https") => None,
            Some("http") if !self.plain => Some("it leads from TLS to plain HTTP"),
            Some("http") if !may_be_plain(authority, &self.plain_hosts) => {
                Some("plain HTTP is spoken only with loopback and hosts that are configured for it")
            }
            Some("http") => None,
            _ => Some("it is no URL of HTTP"),
        }
    }
}

/// `location` as seen from `base` (RFC 3986, 5.2 without dot segments, which no registry sends).
pub(super) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    if let Some(scheme) = scheme_of(location) {
        let is_http = ["http", "https"]
            .iter()
            .any(|own| scheme.eq_ignore_ascii_case(own));
        let url: Option<Uri> = location.parse().ok().filter(|_| is_http);
        return url.filter(|url| url.scheme().is_some());
    }
    let scheme = base.scheme_str()?;
    if location.starts_with("//") {
        return format!("{scheme}:{location}").parse().ok();
    }
    let authority = base.authority()?;
    if location.starts_with('/') {
        return format!("{scheme}://{authority}{location}").parse().ok();
    }
    let folder = base
        .path()
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    format!("{scheme}://{authority}{folder}/{location}")
        .parse()
        .ok()
}

/// The scheme of an absolute URL; a colon behind a slash belongs to the path.
fn scheme_of(location: &str) -> Option<&str> {
    let (scheme, _) = location.split_once(':')?;
    let is_one = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_one.then_some(scheme)
}

/// Whether two URLs have scheme, host and port in common.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| {
        let default = if uri.scheme() == Some(&Scheme::HTTP) {
            80
        } else {
            443
        };
        uri.port_u16().unwrap_or(default)
    };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a).is_some() && host(a) == host(b) && port(a) == port(b)
}

/// `text` with everything but unreserved characters percent-encoded, for a query.
pub(super) fn encode_query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Whether plain HTTP may be spoken to `authority`: loopback, or configured as `HOST` or
/// `HOST:PORT`.
fn may_be_plain(authority: &str, plain_hosts: &[String]) -> bool {
    let host = host_of(authority);
    is_loopback(host)
        || plain_hosts
            .iter()
            .any(|plain| plain.eq_ignore_ascii_case(authority) || plain.eq_ignore_ascii_case(host))
}

/// The host of `HOST[:PORT]`; an IPv6 address keeps its brackets.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _)| host),
    }
}

/// Whether a host is this machine, whatever resolves names.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
        || bare
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::config::{Purpose, Settings};
    use super::*;
    use image_name::Reference;

    fn endpoint(reference: &str, plain: &[&str]) -> Endpoint {
        let plain: Vec<String> = plain.iter().map(|host| (*host).to_owned()).collect();
        let reference = Reference::parse(reference).unwrap();
        let places = Settings::default().places(&reference, Purpose::Read);
        Endpoint::new(&places.unwrap()[0], &plain)
    }

    fn url(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn tls_unless_loopback_or_configured() {
        let base = |reference: &str, plain: &[&str]| {
            endpoint(reference, plain).url("tags").unwrap().to_string()
        };
        assert_eq!(
            base("busybox", &[]),
            "https://registry-1.docker.io/v2/library/busybox/tags"
        );
        assert_eq!(
            base("localhost:5000/a", &[]),
            "http://localhost:5000/v2/a/tags"
        );
        assert_eq!(base("127.9.9.9/a", &[]), "http://127.9.9.9/v2/a/tags");
        assert_eq!(base("[::1]:5000/a", &[]), "http://[::1]:5000/v2/a/tags");
        assert_eq!(
            base("localhost.evil.io/a", &[]),
            "https://localhost.evil.io/v2/a/tags"
        );
        assert_eq!(
            base("127.0.0.1.evil.io/a", &[]),
            "https://127.0.0.1.evil.io/v2/a/tags"
        );
        assert_eq!(
            base("r.lan:5000/a", &["r.lan:5000"]),
            "http://r.lan:5000/v2/a/tags"
        );
        assert_eq!(
            base("r.lan:5000/a", &["R.lan"]),
            "http://r.lan:5000/v2/a/tags"
        );
        assert_eq!(
            base("r.lan:5001/a", &["r.lan:5000"]),
            "https://r.lan:5001/v2/a/tags"
        );
    }

    #[test]
    fn never_from_tls_down_to_plain() {
        let tls = endpoint("q.io/a", &[]);
        assert!(tls.may_follow(&url("https://cdn.io/x")));
        assert!(!tls.may_follow(&url("http://127.0.0.1/x")));
        assert!(!tls.may_follow(&url("https://user@cdn.io/x")));
        let plain = endpoint("localhost:5000/a", &[]);
        assert!(plain.may_follow(&url("http://127.0.0.1:9/x")));
        assert!(!plain.may_follow(&url("http://cdn.io/x")));
    }

    #[test]
    fn credentials_stay_at_home() {
        let tls = endpoint("q.io/a", &[]);
        assert!(tls.is_home(&url("https://q.io:443/other")));
        assert!(tls.is_home(&url("https://Q.io/other")));
        for other in ["https://q.io:444/", "http://q.io/", "https://q.io.evil.io/"] {
            assert!(!tls.is_home(&url(other)), "{other}");
        }
    }

    #[test]
    fn locations_absolute_and_relative() {
        let base = url("https://q.io/v2/a/blobs/uploads/?x=y");
        let resolved = |location| resolve(&base, location).unwrap().to_string();
        assert_eq!(resolved("http://h/p"), "http://h/p");
        assert_eq!(resolved("//h/p"), "https://h/p");
        assert_eq!(resolved("/p?q=r"), "https://q.io/p?q=r");
        assert_eq!(resolved("u1"), "https://q.io/v2/a/blobs/uploads/u1");
        assert_eq!(resolved("HTTPS://h/p"), "https://h/p");
        assert_eq!(resolved("/a:b"), "https://q.io/a:b");
        for nothing in [
            "/a b",
            "file:///etc/passwd",
            "ftp://h/p",
            "javascript:x",
            "http:",
        ] {
            assert!(resolve(&base, nothing).is_none(), "{nothing}");
        }
        assert_eq!(encode_query("a b:c/é"), "a%20b%3Ac%2F%C3%A9");
    }
}
