//! Whom programs ask for names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The address of a name server, with the interface that it is behind if it is link-local (RFC 4007, section 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameServer {
    address: IpAddr,
    zone: Option<String>,
}

/// A text that is no address of a name server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address")]
pub struct InvalidNameServer(String);

impl NameServer {
    /// Whether it is behind an interface: in another network than that interface's, nobody reaches it.
    pub fn has_zone(&self) -> bool {
        self.zone.is_some()
    }
}

impl From<IpAddr> for NameServer {
    fn from(address: IpAddr) -> Self {
        Self {
            address,
            zone: None,
        }
    }
}

impl FromStr for NameServer {
    type Err = InvalidNameServer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNameServer(text.to_owned());
        let Some((address, zone)) = text.split_once('%') else {
            return text.parse().map(IpAddr::into).map_err(|_| invalid());
        };
        let address = address.parse().ok().filter(is_link_local);
        let is_name = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic());
        let address = address.filter(|_| is_name).ok_or_else(invalid)?;
        Ok(Self {
            address,
            zone: Some(zone.to_owned()),
        })
    }
}

impl TryFrom<String> for NameServer {
    type Error = InvalidNameServer;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NameServer> for String {
    fn from(server: NameServer) -> Self {
        server.to_string()
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{}%{zone}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_say_behind_which_interface_it_is() {
        for (text, has_zone) in [
            ("192.0.2.1", false),
            ("2001:db8::1", false),
            ("fe80::1", false),
            ("fe80::1%3", true),
            ("fe80::1%eth0.100", true),
        ] {
            let server: NameServer = text.parse().unwrap();
            assert_eq!((server.has_zone(), &*server.to_string()), (has_zone, text));
            let json = serde_json::to_string(&server).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<NameServer>(&json).unwrap(), server);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "dns.example",
            "192.0.2.1%eth0",
            "2001:db8::1%eth0",
            "fe80::1%",
            "fe80::1%a b",
            "fe80::1%a\nnameserver 192.0.2.1",
            "%eth0",
        ] {
            let refused = text.parse::<NameServer>().unwrap_err();
            assert_eq!(refused, InvalidNameServer(text.to_owned()));
        }
    }
}
