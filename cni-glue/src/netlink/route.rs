//! Routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::family;
use super::message::{
    Batch, Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, attribute,
    u32_at,
};
use crate::subnet::{IpNet, octets, parse_octets};

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_TABLE: u16 = 15;

const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;

/// `struct rtmsg`.
const RTMSG: usize = 12;

/// A way to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: IpNet,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) link: u32,
}

impl Route {
    /// A unicast route of the main table.
    pub(crate) fn parse(message: &Message<'_>) -> Option<Self> {
        let &[family, prefix, _, _, table, _, _, kind, ..] = message.payload else {
            return None;
        };
        let attributes = message.payload.get(RTMSG..)?;
        let table = attribute(attributes, RTA_TABLE)
            .and_then(|value| u32_at(value, 0))
            .unwrap_or(u32::from(table));
        if message.kind != RTM_NEWROUTE || table != u32::from(RT_TABLE_MAIN) || kind != RTN_UNICAST
        {
            return None;
        }
        let zero = if family == 2 {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let destination = attribute(attributes, RTA_DST)
            .and_then(parse_octets)
            .unwrap_or(zero);
        Some(Self {
            destination: IpNet::new(destination, prefix)?,
            gateway: attribute(attributes, RTA_GATEWAY).and_then(parse_octets),
            link: attribute(attributes, RTA_OIF).and_then(|value| u32_at(value, 0))?,
        })
    }

    fn header(&self) -> [u8; RTMSG] {
        let scope = if self.gateway.is_some() || self.destination.address().is_ipv6() {
            RT_SCOPE_UNIVERSE
        } else {
            RT_SCOPE_LINK
        };
        [
            family(self.destination.address()),
            self.destination.prefix(),
            0,
            0,
            RT_TABLE_MAIN,
            RTPROT_STATIC,
            scope,
            RTN_UNICAST,
            0,
            0,
            0,
            0,
        ]
    }
}

pub(crate) fn list(batch: &mut Batch) {
    batch.push(RTM_GETROUTE, NLM_F_DUMP, &[0; RTMSG], |_| ());
}

/// Adds a route, in place of one to the same destination.
pub(crate) fn add(batch: &mut Batch, route: &Route) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    push(batch, RTM_NEWROUTE, flags, route);
}

/// Adds a route; that there is one to the same destination is an error.
pub(crate) fn add_new(batch: &mut Batch, route: &Route) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    push(batch, RTM_NEWROUTE, flags, route);
}

fn push(batch: &mut Batch, kind: u16, flags: u16, route: &Route) {
    batch.push(kind, flags, &route.header(), |a| {
        if route.destination.prefix() > 0 {
            a.put(RTA_DST, &octets(route.destination.address()));
        }
        a.number(RTA_OIF, route.link);
        if let Some(gateway) = route.gateway {
            a.put(RTA_GATEWAY, &octets(gateway));
        }
    });
}
