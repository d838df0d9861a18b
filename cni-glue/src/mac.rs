//! Hardware addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::as_text::as_text;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address that a pod with this IP address has: whoever gets the IP address next has the same one, so no
    /// neighbour has to forget the old.
    pub(crate) fn of(address: IpAddr) -> Self {
        let last = match address {
            IpAddr::V4(ip) => ip.octets(),
            IpAddr::V6(ip) => {
                let [.., a, b, c, d] = ip.octets();
                [a, b, c, d]
            }
        };
        let [a, b, c, d] = last;
        Self([0x0a, 0x58, a, b, c, d])
    }

    fn is_unicast(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text is no hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the hardware address of one interface, such as 02:42:ac:11:00:02")]
pub struct InvalidMac(String);

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidMac(text.into());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            let part = part.ok_or_else(invalid)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        let mac = Self(bytes);
        if parts.next().is_some() || !mac.is_unicast() {
            return Err(invalid());
        }
        Ok(mac)
    }
}

as_text!(Mac);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        let mac: Mac = "0a:58:0A:01:02:03".parse().unwrap();
        assert_eq!(mac.to_string(), "0a:58:0a:01:02:03");
        assert_eq!(Mac::of("10.1.2.3".parse().unwrap()), mac);
        for bad in [
            "",
            "0a:58",
            "0a:58:0a:01:02:03:04",
            "01:00:00:00:00:01",
            "00:00:00:00:00:00",
            "a:58:0a:01:02:03",
            "+a:58:0a:01:02:03",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }
}
