//! Addresses of links.

use std::net::IpAddr;

use super::message::{
    Batch, Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, u32_at,
};
use crate::subnet::{IpNet, octets, parse_octets};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;

/// Nobody else has it, we know: the kernel needn't spend a second on asking.
const IFA_F_NODAD: u8 = 2;
const RT_SCOPE_LINK: u8 = 253;

/// `struct ifaddrmsg`.
const IFADDRMSG: usize = 8;

/// `AF_INET` or `AF_INET6`.
pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) link: u32,
    pub(crate) address: IpNet,
    /// Whether it is good beyond the link.
    pub(crate) global: bool,
}

impl Address {
    pub(crate) fn parse(message: &Message<'_>) -> Option<Self> {
        let &[_, prefix, _, scope, ..] = message.payload else {
            return None;
        };
        if message.kind != RTM_NEWADDR {
            return None;
        }
        let value = |wanted| {
            message
                .attributes(IFADDRMSG)
                .find(|(kind, _)| *kind == wanted)
                .and_then(|(_, value)| parse_octets(value))
        };
        Some(Self {
            link: u32_at(message.payload, 4)?,
            address: IpNet::new(value(IFA_LOCAL).or_else(|| value(IFA_ADDRESS))?, prefix)?,
            global: scope < RT_SCOPE_LINK,
        })
    }
}

pub(crate) fn list(batch: &mut Batch) {
    batch.push(RTM_GETADDR, NLM_F_DUMP, &[0; IFADDRMSG], |_| ());
}

/// Gives the link `index` an address; one that it has already is no error.
pub(crate) fn add(batch: &mut Batch, index: u32, address: &IpNet) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    push(batch, flags, index, address);
}

/// As [`add`], but it must be new.
pub(crate) fn add_new(batch: &mut Batch, index: u32, address: &IpNet) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    push(batch, flags, index, address);
}

fn push(batch: &mut Batch, flags: u16, index: u32, address: &IpNet) {
    let ip = address.address();
    let nodad = if ip.is_ipv6() { IFA_F_NODAD } else { 0 };
    let mut header = vec![family(ip), address.prefix(), nodad, 0];
    header.extend(index.to_ne_bytes());
    batch.push(RTM_NEWADDR, flags, &header, |a| {
        a.put(IFA_LOCAL, &octets(ip)).put(IFA_ADDRESS, &octets(ip));
        if let Some(broadcast) = address.broadcast() {
            a.put(IFA_BROADCAST, &broadcast.octets());
        }
    });
}
