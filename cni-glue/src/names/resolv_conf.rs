//! `/etc/resolv.conf`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::name_server::NameServer;
use crate::runtime::Dns;

/// glibc and musl look at no more.
const MOST_SERVERS: usize = 3;

/// Where the answer is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsMode {
    /// From what was asked for, or else the networks, or else the host.
    #[default]
    Automatic,
    /// From the host, as it is there but for what was asked for.
    Host,
    /// From nowhere: the file is empty but for what was asked for.
    None,
}

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsOptions {
    /// Where the answer is taken from.
    #[serde(default)]
    pub mode: DnsMode,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<NameServer>,
    /// What short names are completed with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Of the resolver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A value that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDns {
    /// Neither an address nor a word.
    #[error("{0:?} is not a name server: write an address, \"host\" or \"none\"")]
    Server(String),
    /// A word beside name servers.
    #[error("{0:?} can't be combined with name servers")]
    Alone(&'static str),
    /// Both words.
    #[error("\"host\" and \"none\" can't be combined")]
    Both,
    /// A search domain with a blank.
    #[error(
        "{0:?} is not a domain: it is empty, or has characters that can't stand in resolv.conf"
    )]
    Search(String),
    /// An option with a blank.
    #[error(
        "{0:?} is not an option: it is empty, or has characters that can't stand in resolv.conf"
    )]
    Option(String),
}

impl DnsMode {
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "host" => Some(Self::Host),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::Automatic => None,
            Self::Host => Some("host"),
            Self::None => Some("none"),
        }
    }
}

impl DnsOptions {
    /// From the values of `--dns`, `--dns-search` and `--dns-opt`.
    ///
    /// # Errors
    /// [`InvalidDns`].
    pub fn parse<'a>(
        servers: impl IntoIterator<Item = &'a str>,
        search: impl IntoIterator<Item = &'a str>,
        options: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidDns> {
        let mut parsed = Self::default();
        for server in servers.into_iter().flat_map(|value| value.split(',')) {
            match DnsMode::of_word(server) {
                Some(mode) if parsed.mode == DnsMode::Automatic || parsed.mode == mode => {
                    parsed.mode = mode;
                }
                Some(_) => return Err(InvalidDns::Both),
                None => {
                    // An interface that it is behind would be one of the pod's, which has none yet.
                    let address = server.parse::<IpAddr>();
                    let address = address.map_err(|_| InvalidDns::Server(server.into()))?;
                    parsed.servers.push(address.into());
                }
            }
        }
        if let Some(word) = parsed.mode.word().filter(|_| !parsed.servers.is_empty()) {
            return Err(InvalidDns::Alone(word));
        }
        parsed.search = words(search, InvalidDns::Search)?;
        parsed.options = words(options, InvalidDns::Option)?;
        Ok(parsed)
    }

    /// The servers that nobody asks, since programs look at no more than the first three.
    pub fn unasked_servers(&self) -> &[NameServer] {
        self.servers.get(MOST_SERVERS..).unwrap_or_default()
    }

    /// As plugins are told of it, if there is anything to tell.
    pub(crate) fn to_cni(&self) -> Option<Value> {
        let mut told = Map::new();
        for (key, value) in [
            ("servers", json!(self.servers)),
            ("searches", json!(self.search)),
            ("options", json!(self.options)),
        ] {
            if value.as_array().is_some_and(|values| !values.is_empty()) {
                told.insert(key.into(), value);
            }
        }
        (!told.is_empty()).then_some(Value::Object(told))
    }
}

fn words<'a>(
    values: impl IntoIterator<Item = &'a str>,
    invalid: fn(String) -> InvalidDns,
) -> Result<Vec<String>, InvalidDns> {
    values
        .into_iter()
        .map(|value| match is_word(value) {
            true => Ok(value.to_owned()),
            false => Err(invalid(value.into())),
        })
        .collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The file's text: each of servers, search domains and options is what was asked for, or else what the first network
/// says that says any, or else the host's. `host` is the host's file, of which name servers on its loopback are left
/// out, since they are not the pod's; who asks for the host's file gets it with them.
pub fn resolv_conf<'a>(
    wanted: &DnsOptions,
    networks: impl IntoIterator<Item = &'a Dns>,
    host: &[u8],
) -> Vec<u8> {
    if wanted.mode == DnsMode::Host {
        return with_own_words(host, wanted);
    }
    let network = match wanted.mode {
        DnsMode::Automatic => networks.into_iter().find(|dns| !dns.is_empty()).cloned(),
        DnsMode::Host | DnsMode::None => None,
    };
    let fallback = match (network, wanted.mode) {
        (Some(mut dns), _) => {
            // The words of strangers.
            dns.nameservers
                .retain(|server| server.parse::<IpAddr>().is_ok());
            if dns.search.is_empty() && !dns.domain.is_empty() {
                dns.search.push(dns.domain);
            }
            dns.search.retain(|word| is_word(word));
            dns.options.retain(|word| is_word(word));
            dns.domain = String::new();
            let mut hosts = parse(host);
            if dns.nameservers.is_empty() {
                dns.nameservers = std::mem::take(&mut hosts.nameservers);
            }
            dns
        }
        (None, DnsMode::Automatic) => parse(host),
        (None, _) => Dns::default(),
    };
    let servers: Vec<String> = match wanted.servers.as_slice() {
        [] => fallback.nameservers,
        servers => servers.iter().map(ToString::to_string).collect(),
    };
    let or = |wanted: &[String], fallback: Vec<String>| {
        if wanted.is_empty() {
            fallback
        } else {
            wanted.to_vec()
        }
    };
    let search = or(&wanted.search, fallback.search);
    let options = or(&wanted.options, fallback.options);
    let mut text = String::new();
    for server in servers.iter().take(MOST_SERVERS) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    push_words(&mut text, &search, &options);
    text.into_bytes()
}

/// The host's file, in which search domains and options that were asked for take the place of its own.
fn with_own_words(host: &[u8], wanted: &DnsOptions) -> Vec<u8> {
    if wanted.search.is_empty() && wanted.options.is_empty() {
        return host.to_vec();
    }
    let is_replaced = |line: &&[u8]| match words_of(line).next() {
        Some(b"search" | b"domain") => !wanted.search.is_empty(),
        Some(b"options") => !wanted.options.is_empty(),
        _ => false,
    };
    let mut text = Vec::new();
    let lines = host
        .strip_suffix(b"\n")
        .unwrap_or(host)
        .split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !is_replaced(line)) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    let mut own = String::new();
    push_words(&mut own, &wanted.search, &wanted.options);
    text.extend_from_slice(own.as_bytes());
    text
}

/// The words of a line, as the C library finds them.
fn words_of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

fn push_words(text: &mut String, search: &[String], options: &[String]) {
    for (key, words) in [("search", search), ("options", options)] {
        if !words.is_empty() {
            text.push_str(&format!("{key} {}\n", words.join(" ")));
        }
    }
}

/// Which of the host's two files a pod can use: its own, or the one that the host's resolver on the loopback keeps of
/// the servers that it asks itself (`/run/systemd/resolve/resolv.conf`).
pub fn host_resolver<'a>(own: &'a [u8], upstream: Option<&'a [u8]>) -> &'a [u8] {
    match upstream {
        Some(upstream) if parse(own).nameservers.is_empty() => upstream,
        _ => own,
    }
}

/// What a file says, but for name servers on the loopback, and for words that aren't text: nobody means those.
fn parse(text: &[u8]) -> Dns {
    let mut dns = Dns::default();
    for line in text.split(|byte| *byte == b'\n') {
        let mut words = words_of(line).filter_map(|word| str::from_utf8(word).ok());
        match words.next() {
            Some("nameserver") => dns.nameservers.extend(
                words
                    .next()
                    .filter(|server| {
                        // An IPv6 address may name an interface of the host, which isn't the pod's.
                        server.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback())
                    })
                    .map(Into::into),
            ),
            Some("search") => dns.search = words.map(Into::into).collect(),
            Some("domain") if dns.search.is_empty() => dns.search = words.map(Into::into).collect(),
            Some("options") => dns.options.extend(words.map(str::to_owned)),
            _ => (),
        }
    }
    dns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolv_conf<'a>(
        wanted: &DnsOptions,
        networks: impl IntoIterator<Item = &'a Dns>,
        host: &str,
    ) -> String {
        let text = super::resolv_conf(wanted, networks, host.as_bytes());
        String::from_utf8(text).unwrap()
    }

    const HOST: &str = "# x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nsearch example.org\noptions edns0 trust-ad\n";

    fn options(servers: &[&str], search: &[&str]) -> DnsOptions {
        DnsOptions::parse(servers.iter().copied(), search.iter().copied(), []).unwrap()
    }

    #[test]
    fn what_was_asked_for_goes_before_the_network_before_the_host() {
        let network = Dns {
            nameservers: vec!["10.0.0.1".into(), "x\nnameserver 6.6.6.6".into()],
            domain: "net.example".into(),
            ..Dns::default()
        };
        let nothing = Dns::default();
        let wanted = options(&[], &[]);
        assert_eq!(
            resolv_conf(&wanted, [&nothing], HOST),
            "nameserver 192.0.2.1\nsearch example.org\noptions edns0 trust-ad\n"
        );
        assert_eq!(
            resolv_conf(&wanted, [&nothing, &network], HOST),
            "nameserver 10.0.0.1\nsearch net.example\n"
        );
        let wanted = options(&["9.9.9.9,::2"], &[]);
        assert_eq!(
            resolv_conf(&wanted, [&network], HOST),
            "nameserver 9.9.9.9\nnameserver ::2\nsearch net.example\n"
        );
        assert_eq!(
            resolv_conf(&options(&["host"], &[]), [&network], HOST),
            HOST
        );
        assert_eq!(
            resolv_conf(&options(&["none"], &["a.b"]), [&network], HOST),
            "search a.b\n"
        );
    }

    #[test]
    fn words_that_were_asked_for_take_the_place_of_those_in_the_hosts_file() {
        assert_eq!(
            resolv_conf(&options(&["host"], &["a.b", "c.d"]), [], HOST),
            "# x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\noptions edns0 trust-ad\nsearch a.b c.d\n"
        );
        let wanted = DnsOptions::parse(["host"], [], ["ndots:2", "rotate"]).unwrap();
        let host = "domain a.b\noptions edns0\nnameserver ::1";
        assert_eq!(
            resolv_conf(&wanted, [], host),
            "domain a.b\nnameserver ::1\noptions ndots:2 rotate\n"
        );
        assert_eq!(
            resolv_conf(&options(&["host"], &["c.d"]), [], host),
            "options edns0\nnameserver ::1\nsearch c.d\n"
        );
    }

    #[test]
    fn three_servers_are_asked() {
        let wanted = options(&["192.0.2.1,192.0.2.2,::3"], &[]);
        assert!(wanted.unasked_servers().is_empty());
        assert!(options(&[], &[]).unasked_servers().is_empty());
        let wanted = options(&["192.0.2.1,192.0.2.2,::3", "::4", "::5"], &[]);
        let unasked: Vec<_> = wanted
            .unasked_servers()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(unasked, ["::4", "::5"]);
        let asked = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver ::3\n";
        assert_eq!(resolv_conf(&wanted, [], ""), asked);
    }

    #[test]
    fn a_resolver_on_the_hosts_loopback_is_replaced_by_those_that_it_asks() {
        let upstream = "nameserver 192.0.2.9\n".as_bytes();
        let of_loopback = b"nameserver 127.0.0.53\n";
        assert_eq!(host_resolver(of_loopback, Some(upstream)), upstream);
        assert_eq!(
            host_resolver(HOST.as_bytes(), Some(upstream)),
            HOST.as_bytes()
        );
        assert_eq!(
            host_resolver(b"nameserver ::1\n", None),
            b"nameserver ::1\n"
        );
    }

    #[test]
    fn a_file_that_is_not_text_is_read_for_what_is() {
        let host =
            b"# gr\xfc\xdfe\nnameserver 192.0.2.1\nsearch caf\xe9.example a.b\noptions rotate\n";
        let made = super::resolv_conf(&options(&[], &[]), [], host);
        let text = str::from_utf8(&made).unwrap();
        assert_eq!(text, "nameserver 192.0.2.1\nsearch a.b\noptions rotate\n");
        let whole = super::resolv_conf(&options(&["host"], &[]), [], host);
        assert_eq!(whole, host);
        let own = super::resolv_conf(&options(&["host"], &["c.d"]), [], host);
        let expected = b"# gr\xfc\xdfe\nnameserver 192.0.2.1\noptions rotate\nsearch c.d\n";
        assert_eq!(own, expected);
    }

    #[test]
    fn nonsense_is_refused_as_what_it_was_given_for() {
        let refused = |servers: &[&str], search: &[&str], options: &[&str]| {
            let [servers, search, options] =
                [servers, search, options].map(|values| values.iter().copied());
            DnsOptions::parse(servers, search, options).unwrap_err()
        };
        let server = refused(&["dns.example"], &[], &[]);
        assert_eq!(server, InvalidDns::Server("dns.example".into()));
        for alone in [&["host,1.1.1.1"][..], &["1.1.1.1", "none"]] {
            let alone = refused(alone, &[], &[]);
            assert!(matches!(alone, InvalidDns::Alone(_)), "{alone}");
        }
        for both in [&["host,none"][..], &["none", "host"]] {
            assert_eq!(refused(both, &[], &[]), InvalidDns::Both);
        }
        let hostile = "a\nnameserver 6.6.6.6";
        let search = refused(&[], &[hostile], &[]);
        assert_eq!(search, InvalidDns::Search(hostile.into()));
        let option = refused(&[], &[], &[""]);
        assert_eq!(option, InvalidDns::Option(String::new()));
        assert_eq!(options(&["host,host"], &[]).mode, DnsMode::Host);
    }

    #[test]
    fn plugins_are_told_what_was_asked_for() {
        assert_eq!(
            options(&["1.1.1.1"], &["a"]).to_cni().unwrap(),
            json!({"servers": ["1.1.1.1"], "searches": ["a"]})
        );
        assert_eq!(options(&[], &[]).to_cni(), None);
    }
}
