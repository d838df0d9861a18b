//! Addresses with the length of their network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::as_text::as_text;

/// An address and how many of its first bits name the network: `10.1.2.3/24`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

/// A text is no address with a prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address with a prefix length, such as 10.1.0.0/16 or fd00::/64")]
pub struct InvalidIpNet(String);

impl IpNet {
    /// `None` if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= width(address)).then_some(Self { address, prefix })
    }

    /// A network of one address.
    pub fn single(address: IpAddr) -> Self {
        Self {
            address,
            prefix: width(address),
        }
    }

    /// Everything, for the family of `address`: where a default route leads.
    pub fn everything(address: IpAddr) -> Self {
        let address = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { address, prefix: 0 }
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the network's part, in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Its first address and the prefix.
    pub fn network(&self) -> Self {
        Self {
            address: self.rebuild(self.first()),
            prefix: self.prefix,
        }
    }

    /// Whether `address` is in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4()
            && (self.first()..=self.last()).contains(&number(address))
    }

    /// What some of its addresses are for that no interface of a pod can have (RFC 6890).
    pub fn reserved_for(&self) -> Option<&'static str> {
        const RESERVED: [(IpAddr, u8, &str); 8] = [
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8, "this network"),
            (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8, "the loopback"),
            (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4, "multicast"),
            (IpAddr::V4(Ipv4Addr::new(240, 0, 0, 0)), 4, "later use"),
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 127, "the loopback"),
            (
                IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xFFFF, 0, 0)),
                96,
                "IPv4 addresses",
            ),
            (
                IpAddr::V6(Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0)),
                10,
                "single links",
            ),
            (
                IpAddr::V6(Ipv6Addr::new(0xFF00, 0, 0, 0, 0, 0, 0, 0)),
                8,
                "multicast",
            ),
        ];
        RESERVED
            .into_iter()
            .find(|(address, prefix, _)| {
                let (address, prefix) = (*address, *prefix);
                self.overlaps(&Self { address, prefix })
            })
            .map(|(_, _, what)| what)
    }

    /// Whether the two have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.network().address) || other.contains(self.network().address)
    }

    /// The address `n` places after the network's first, if that is in the network.
    pub fn nth(&self, n: u128) -> Option<IpAddr> {
        let address = self.first().checked_add(n)?;
        (address <= self.last()).then(|| self.rebuild(address))
    }

    /// How many places after the network's first an address is.
    pub fn position(&self, address: IpAddr) -> Option<u128> {
        self.contains(address)
            .then(|| number(address) - self.first())
    }

    /// How many addresses the network has, at most 2^64.
    pub fn size(&self) -> u128 {
        1 << self.host_bits().min(64)
    }

    /// The last address.
    pub fn last_address(&self) -> IpAddr {
        self.rebuild(self.last())
    }

    /// The address that reaches everybody, where the network has one.
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.rebuild(self.last()) {
            IpAddr::V4(last) if self.prefix < 31 => Some(last),
            _ => None,
        }
    }

    fn host_bits(&self) -> u32 {
        u32::from(width(self.address) - self.prefix)
    }

    fn host_mask(&self) -> u128 {
        1u128
            .checked_shl(self.host_bits())
            .map_or(u128::MAX, |size| size - 1)
    }

    fn first(&self) -> u128 {
        number(self.address) & !self.host_mask()
    }

    fn last(&self) -> u128 {
        number(self.address) | self.host_mask()
    }

    /// The address of this family with that number.
    fn rebuild(&self, number: u128) -> IpAddr {
        match self.address {
            // No number of this family is larger.
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(
                u32::try_from(number).unwrap_or(u32::MAX),
            )),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// An address as the kernel wants it.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An address as the kernel gives it.
pub(crate) fn parse_octets(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(bytes));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for IpNet {
    type Err = InvalidIpNet;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .filter(|(_, prefix)| prefix.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|(address, prefix)| Self::new(address.parse().ok()?, prefix.parse().ok()?))
            .ok_or_else(|| InvalidIpNet(text.into()))
    }
}

as_text!(IpNet);

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn networks_know_their_addresses() {
        let lan = net("10.1.2.3/24");
        assert_eq!(lan.network(), net("10.1.2.0/24"));
        assert_eq!(lan.nth(1), Some("10.1.2.1".parse().unwrap()));
        assert_eq!(lan.nth(255), lan.broadcast().map(IpAddr::V4));
        assert_eq!(lan.nth(256), None);
        assert_eq!(lan.position("10.1.2.7".parse().unwrap()), Some(7));
        assert_eq!(lan.position("10.1.3.7".parse().unwrap()), None);
        assert_eq!(lan.size(), 256);
        assert_eq!(net("10.1.2.3/31").broadcast(), None);
        assert_eq!(net("fd00::5/64").nth(9), Some("fd00::9".parse().unwrap()));
        assert_eq!(net("::/0").size(), 1 << 64);
        assert_eq!(
            net("0.0.0.0/0").last_address().to_string(),
            "255.255.255.255"
        );
        assert!(!net("0.0.0.0/0").contains("::1".parse().unwrap()));
    }

    #[test]
    fn overlaps_are_found_both_ways() {
        assert!(net("10.0.0.0/8").overlaps(&net("10.9.0.0/16")));
        assert!(net("10.9.0.0/16").overlaps(&net("10.0.0.0/8")));
        assert!(!net("10.9.0.0/16").overlaps(&net("10.8.0.0/16")));
        assert!(!net("0.0.0.0/0").overlaps(&net("::/0")));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "/8",
            "10.0.0.0/",
        ] {
            assert!(bad.parse::<IpNet>().is_err(), "{bad}");
        }
    }
}
