//! Proxies as the environment names them: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in
//! lower case first. Which proxy a URL goes through is decided here, not by the HTTP client, which
//! knows neither networks nor ports in `NO_PROXY`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

use super::endpoint::is_loopback;

/// The proxies of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none: Vec<Exception>,
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    All,
    /// An address or network, as its first bits and their number.
    Network(IpAddr, u32),
    /// A host and what is below it, perhaps on one port only.
    Host {
        name: String,
        only_below: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads the variables by `variable`.
    pub(super) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            variable(&name.to_ascii_lowercase())
                .or_else(|| variable(name))
                .filter(|value| !value.is_empty())
        };
        let all = get("ALL_PROXY");
        Self {
            http: get("HTTP_PROXY").or_else(|| all.clone()),
            https: get("HTTPS_PROXY").or(all),
            none: get("NO_PROXY")
                .unwrap_or_default()
                .split([',', ' '])
                .filter_map(Exception::parse)
                .collect(),
        }
    }

    /// The proxy that `url` goes through. Loopback is always reached directly.
    pub(super) fn of(&self, url: &Uri) -> Option<&str> {
        let plain = url.scheme_str() == Some("http");
        let proxy = if plain { &self.http } else { &self.https }.as_deref()?;
        let host = url.host()?;
        let port = url.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let direct = is_loopback(host) || self.none.iter().any(|entry| entry.covers(host, port));
        (!direct).then_some(proxy)
    }
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
            let most = if matches!(address, IpAddr::V4(_)) {
                32
            } else {
                128
            };
            return (bits <= most).then_some(Self::Network(address, bits));
        }
        if let Ok(address) = bare(text).parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            return Some(Self::Network(address, most));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let name = name.strip_prefix('*').unwrap_or(name);
        let (name, only_below) = match name.strip_prefix('.') {
            Some(name) => (name, true),
            None => (name, false),
        };
        Some(Self::Host {
            name: bare(name).to_ascii_lowercase(),
            only_below,
            port,
        })
    }

    fn covers(&self, host: &str, wanted: u16) -> bool {
        let host = bare(host);
        match self {
            Self::All => true,
            Self::Network(network, bits) => host
                .parse::<IpAddr>()
                .is_ok_and(|address| first_bits(address, *bits) == first_bits(*network, *bits)),
            Self::Host {
                name,
                only_below,
                port,
            } => {
                if port.is_some_and(|port| port != wanted) {
                    return false;
                }
                let host = host.to_ascii_lowercase();
                match host.strip_suffix(name.as_str()) {
                    Some("") => !only_below,
                    Some(below) => below.ends_with('.'),
                    None => false,
                }
            }
        }
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn first_bits(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_environment(|name| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn of<'a>(proxies: &'a Proxies, url: &str) -> Option<&'a str> {
        proxies.of(&url.parse().unwrap())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_lower_case_counts_first() {
        let some = proxies(&[
            ("HTTPS_PROXY", "http://upper"),
            ("https_proxy", "http://lower"),
            ("HTTP_PROXY", "http://plain"),
        ]);
        assert_eq!(of(&some, "https://q.io/"), Some("http://lower"));
        assert_eq!(of(&some, "http://q.io/"), Some("http://plain"));
        let all = proxies(&[("ALL_PROXY", "http://all"), ("HTTP_PROXY", "")]);
        assert_eq!(of(&all, "http://q.io/"), Some("http://all"));
        assert_eq!(of(&proxies(&[]), "https://q.io/"), None);
    }

    #[test]
    fn loopback_is_always_direct() {
        let some = proxies(&[("ALL_PROXY", "http://all")]);
        for url in [
            "http://127.0.0.1:5000/",
            "https://localhost/",
            "http://[::1]:1/",
        ] {
            assert_eq!(of(&some, url), None, "{url}");
        }
    }

    #[test]
    fn exceptions_are_hosts_suffixes_ports_and_networks() {
        let some = |none| proxies(&[("https_proxy", "http://p"), ("no_proxy", none)]);
        for (none, host, direct) in [
            ("q.io", "q.io", true),
            ("q.io", "a.q.io", true),
            ("q.io", "aq.io", false),
            (".q.io", "q.io", false),
            (".q.io", "A.Q.io", true),
            ("*.q.io", "a.q.io", true),
            ("x, q.io:5000", "q.io:5000", true),
            ("q.io:5000", "q.io", false),
            ("q.io:443", "q.io", true),
            ("10.0.0.0/8", "10.9.8.7:5000", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("10.0.0.1", "10.0.0.1:5000", true),
            ("10.0.0.1", "10.0.0.10", false),
            ("fd00::/8", "[fd12::1]:5000", true),
            ("fd00::/8", "[fe80::1]", false),
            ("10.0.0.0/8", "10.example.com", false),
            ("*", "q.io", true),
            ("", "q.io", false),
        ] {
            let found = some(none);
            let url = format!("https://{host}/v2/");
            assert_eq!(of(&found, &url).is_none(), direct, "{none} and {host}");
        }
    }
}
