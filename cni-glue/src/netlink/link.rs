//! Requests that make, change and remove links, and what the kernel tells of them.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{
    Attributes, Batch, Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, attribute, text,
    u32_at,
};
use crate::mac::Mac;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const VETH_INFO_PEER: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_INET_CONF: u16 = 1;

const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_FLUSH: u16 = 21;
const BR_STATE_DISABLED: u8 = 0;

const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

const IFF_UP: u32 = 1;
const AF_INET: u16 = 2;
const AF_BRIDGE: u8 = 7;

/// `struct ifinfomsg`.
const IFINFOMSG: usize = 16;

/// Settings of one link for IPv4, by their numbers in `linux/ip.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ipv4Setting {
    /// Packets that come in here are passed on.
    Forwarding = 1,
    /// Hosts are told of shorter ways.
    SendRedirects = 6,
    /// Loopback addresses may come in and go out here.
    RouteLocalnet = 26,
}

/// A link, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) mac: Option<Mac>,
    pub(crate) master: Option<u32>,
    /// `bridge`, `veth`, `macvlan`…
    pub(crate) kind: Option<String>,
    /// What somebody wrote on it.
    pub(crate) alias: Option<String>,
    /// Its group; 0 if nobody put it into one.
    pub(crate) group: u32,
    pub(crate) up: bool,
    pub(crate) loopback: bool,
}

impl Link {
    pub(crate) fn parse(message: &Message<'_>) -> Option<Self> {
        if message.kind != RTM_NEWLINK {
            return None;
        }
        let flags = u32_at(message.payload, 8)?;
        let mut link = Self {
            index: u32_at(message.payload, 4)?,
            name: String::new(),
            mtu: 0,
            mac: None,
            master: None,
            kind: None,
            alias: None,
            group: 0,
            up: flags & IFF_UP != 0,
            loopback: flags & 8 != 0,
        };
        for (kind, value) in message.attributes(IFINFOMSG) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_MTU => link.mtu = u32_at(value, 0)?,
                IFLA_ADDRESS => link.mac = value.try_into().ok().map(Mac),
                IFLA_MASTER => link.master = u32_at(value, 0),
                IFLA_IFALIAS => link.alias = Some(text(value)),
                IFLA_GROUP => link.group = u32_at(value, 0)?,
                IFLA_LINKINFO => link.kind = attribute(value, IFLA_INFO_KIND).map(text),
                _ => (),
            }
        }
        Some(link)
    }
}

fn header(family: u8, index: u32, flags: u32) -> [u8; IFINFOMSG] {
    let mut bytes = [0; IFINFOMSG];
    let [first, ..] = &mut bytes;
    *first = family;
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&flags.to_ne_bytes()); // which of the flags to change
    bytes
}

pub(crate) fn get(batch: &mut Batch, name: &str) {
    batch.push(RTM_GETLINK, NLM_F_ACK, &header(0, 0, 0), |a| {
        a.text(IFLA_IFNAME, name)
            .number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    });
}

pub(crate) fn list(batch: &mut Batch) {
    batch.push(RTM_GETLINK, NLM_F_DUMP, &header(0, 0, 0), |a| {
        a.number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    });
}

/// A new bridge, up. Its hardware address is given, or it would change with every port.
pub(crate) fn create_bridge(batch: &mut Batch, name: &str, mac: Mac, mtu: u32, group: u32) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    batch.push(RTM_NEWLINK, flags, &header(0, 0, IFF_UP), |a| {
        a.text(IFLA_IFNAME, name)
            .put(IFLA_ADDRESS, &mac.0)
            .number(IFLA_MTU, mtu)
            .number(IFLA_GROUP, group)
            .nested(IFLA_LINKINFO, |info| {
                info.text(IFLA_INFO_KIND, "bridge");
            });
    });
}

/// A pair of links, one here and one in a pod.
#[derive(Debug)]
pub(crate) struct VethPair<'a> {
    pub(crate) name: &'a str,
    /// The bridge that this end joins.
    pub(crate) master: Option<u32>,
    pub(crate) mtu: u32,
    /// The group of this end.
    pub(crate) group: u32,
    pub(crate) peer: PodLink<'a>,
}

/// A link that is made inside of a pod, where it never was anywhere else: moving one costs grace periods.
#[derive(Debug)]
pub(crate) struct PodLink<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: Option<Mac>,
    pub(crate) netns: BorrowedFd<'a>,
}

impl PodLink<'_> {
    fn write(&self, attributes: &mut Attributes<'_>) {
        attributes
            .text(IFLA_IFNAME, self.name)
            .put(IFLA_NET_NS_FD, &self.netns.as_raw_fd().to_ne_bytes());
        if let Some(mac) = self.mac {
            attributes.put(IFLA_ADDRESS, &mac.0);
        }
    }
}

/// A new pair, the end here up. The other can't be before the two are connected.
pub(crate) fn create_veth(batch: &mut Batch, pair: &VethPair<'_>) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    batch.push(RTM_NEWLINK, flags, &header(0, 0, IFF_UP), |a| {
        a.text(IFLA_IFNAME, pair.name)
            .number(IFLA_MTU, pair.mtu)
            .number(IFLA_GROUP, pair.group);
        if let Some(master) = pair.master {
            a.number(IFLA_MASTER, master);
        }
        a.nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "veth")
                .nested(IFLA_INFO_DATA, |data| {
                    data.nested(VETH_INFO_PEER, |peer| {
                        peer.raw(&header(0, 0, 0));
                        pair.peer.write(peer);
                        peer.number(IFLA_MTU, pair.mtu);
                    });
                });
        });
    });
}

/// Lets a bridge send frames back to where they came from. Where packets are filtered within bridges, as container
/// engines like to have it, a pod that asks for its own published port needs that.
pub(crate) fn hairpin(batch: &mut Batch, name: &str) {
    batch.push(RTM_NEWLINK, NLM_F_ACK, &header(0, 0, 0), |a| {
        a.text(IFLA_IFNAME, name).nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_SLAVE_KIND, "bridge")
                .nested(IFLA_INFO_SLAVE_DATA, |port| {
                    port.byte(IFLA_BRPORT_MODE, 1);
                });
        });
    });
}

/// A new macvlan on top of the link `parent`, up, in a pod.
pub(crate) fn create_macvlan(
    batch: &mut Batch,
    parent: u32,
    mode: u32,
    mtu: Option<u32>,
    link: &PodLink<'_>,
) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    batch.push(RTM_NEWLINK, flags, &header(0, 0, IFF_UP), |a| {
        link.write(a);
        a.number(IFLA_LINK, parent);
        if let Some(mtu) = mtu {
            a.number(IFLA_MTU, mtu);
        }
        a.nested(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "macvlan")
                .nested(IFLA_INFO_DATA, |data| {
                    data.number(IFLA_MACVLAN_MODE, mode);
                });
        });
    });
}

pub(crate) fn delete(batch: &mut Batch, name: &str) {
    batch.push(RTM_DELLINK, NLM_F_ACK, &header(0, 0, 0), |a| {
        a.text(IFLA_IFNAME, name);
    });
}

/// Gives a link that is down another name, and another size of its largest packet.
pub(crate) fn rename(batch: &mut Batch, index: u32, name: &str, mtu: Option<u32>) {
    batch.push(RTM_SETLINK, NLM_F_ACK, &header(0, index, 0), |a| {
        a.text(IFLA_IFNAME, name);
        if let Some(mtu) = mtu {
            a.number(IFLA_MTU, mtu);
        }
    });
}

/// Gives a link that is down another hardware address.
pub(crate) fn set_mac(batch: &mut Batch, index: u32, mac: Mac) {
    batch.push(RTM_SETLINK, NLM_F_ACK, &header(0, index, 0), |a| {
        a.put(IFLA_ADDRESS, &mac.0);
    });
}

pub(crate) fn set_up(batch: &mut Batch, index: u32) {
    batch.push(RTM_NEWLINK, NLM_F_ACK, &header(0, index, IFF_UP), |_| ());
}

/// Settings for IPv4, and that the link makes up no IPv6 address of its own.
pub(crate) fn configure(batch: &mut Batch, index: u32, settings: &[(Ipv4Setting, u32)]) {
    batch.push(RTM_SETLINK, NLM_F_ACK, &header(0, index, 0), |a| {
        a.nested(IFLA_AF_SPEC, |families| {
            families.nested(AF_INET, |ipv4| {
                ipv4.nested(IFLA_INET_CONF, |conf| {
                    for (setting, value) in settings {
                        conf.number(*setting as u16, *value);
                    }
                });
            });
        });
    });
}

/// From now on nothing passes this port of a bridge, and the bridge forgets who was behind it.
pub(crate) fn close_port(batch: &mut Batch, index: u32) {
    batch.push(RTM_SETLINK, NLM_F_ACK, &header(AF_BRIDGE, index, 0), |a| {
        a.nested(IFLA_PROTINFO, |port| {
            port.byte(IFLA_BRPORT_STATE, BR_STATE_DISABLED)
                .flag(IFLA_BRPORT_FLUSH);
        });
    });
}

/// Writes something on a link, for whoever looks at it.
pub(crate) fn set_alias(batch: &mut Batch, index: u32, alias: &str) {
    batch.push(RTM_SETLINK, NLM_F_ACK, &header(0, index, 0), |a| {
        a.text(IFLA_IFALIAS, alias);
    });
}
