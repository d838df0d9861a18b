//! Elements of sets and maps.

use std::net::IpAddr;

use super::comment::{comment, comment_of};
use crate::netlink::message::{Attributes, attribute, attributes};
use crate::ports::Protocol;
use crate::subnet::{IpNet, octets};

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_SET_ELEM_DATA: u16 = 2;
const NFTA_SET_ELEM_FLAGS: u16 = 3;
const NFTA_SET_ELEM_USERDATA: u16 = 6;
const NFTA_SET_ELEM_KEY_END: u16 = 10;
const NFTA_DATA_VALUE: u16 = 1;
const INTERVAL_END: u32 = 1;

/// The longest interface name, with its NUL byte.
const IFNAMSIZ: usize = 16;

/// An element, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    key: Vec<u8>,
    /// The last key of a range of several values.
    last: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    end: bool,
    /// Its comment.
    pub(crate) owner: Option<String>,
}

/// Each part of a joined key or value begins at a multiple of four bytes.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    for part in parts {
        bytes.extend(*part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

impl Element {
    /// A port of the host that leads to a pod; with `at`, on that address of the host alone.
    pub(crate) fn port(
        at: Option<IpAddr>,
        protocol: Protocol,
        port: u16,
        to: (IpAddr, u16),
        owner: &str,
    ) -> Self {
        let mut element = Self::port_key(at, protocol, port);
        element.value = Some(join(&[&octets(to.0), &to.1.to_be_bytes()]));
        element.owner = Some(owner.into());
        element
    }

    fn port_key(at: Option<IpAddr>, protocol: Protocol, port: u16) -> Self {
        let number = [protocol.number()];
        let port = port.to_be_bytes();
        let key = match at {
            Some(at) => join(&[&octets(at), &number, &port]),
            None => join(&[&number, &port]),
        };
        Self {
            key,
            last: None,
            value: None,
            end: false,
            owner: None,
        }
    }

    /// The addresses of a network, as the two ends of an interval.
    pub(crate) fn subnet(subnet: &IpNet, owner: &str) -> Vec<Self> {
        let first = Self {
            key: octets(subnet.network().address()),
            last: None,
            value: None,
            end: false,
            owner: Some(owner.into()),
        };
        let after = match subnet.last_address() {
            IpAddr::V4(last) => last
                .to_bits()
                .checked_add(1)
                .map(|n| n.to_be_bytes().to_vec()),
            IpAddr::V6(last) => last
                .to_bits()
                .checked_add(1)
                .map(|n| n.to_be_bytes().to_vec()),
        };
        let end = after.map(|key| Self {
            key,
            last: None,
            value: None,
            end: true,
            owner: None,
        });
        std::iter::once(first).chain(end).collect()
    }

    /// From the addresses of a network to the addresses of the same.
    pub(crate) fn within(subnet: &IpNet, owner: &str) -> Self {
        let twice = |address| octets(address).repeat(2);
        Self {
            key: twice(subnet.network().address()),
            last: Some(twice(subnet.last_address())),
            value: None,
            end: false,
            owner: Some(owner.into()),
        }
    }

    /// An interface, by name.
    pub(crate) fn interface(name: &str, owner: &str) -> Self {
        let mut key = name.as_bytes().to_vec();
        key.resize(IFNAMSIZ, 0);
        Self {
            key,
            last: None,
            value: None,
            end: false,
            owner: Some(owner.into()),
        }
    }

    /// What it is found by.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether both lead to the same.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        self.value == other.value
    }

    /// Whether the two are one for the kernel.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        self.key == other.key && self.last == other.last && self.end == other.end
    }

    /// Those of one owner, each with the end of its interval, which has no comment.
    pub(crate) fn of_owner(all: &[Self], owner: &str) -> Vec<Self> {
        let own = all.iter().filter(|one| one.owner.as_deref() == Some(owner));
        own.flat_map(|first| {
            let after = |end: &&Self| end.end && end.key > first.key;
            let end = all.iter().filter(after).min_by_key(|end| &end.key);
            std::iter::once(first).chain(end)
        })
        .cloned()
        .collect()
    }

    pub(super) fn write(&self, list: &mut Attributes<'_>) {
        list.nested(NFTA_LIST_ELEM, |element| {
            if self.end {
                element.big_endian(NFTA_SET_ELEM_FLAGS, INTERVAL_END);
            }
            element.nested(NFTA_SET_ELEM_KEY, |key| {
                key.put(NFTA_DATA_VALUE, &self.key);
            });
            if let Some(last) = &self.last {
                element.nested(NFTA_SET_ELEM_KEY_END, |key| {
                    key.put(NFTA_DATA_VALUE, last);
                });
            }
            if let Some(value) = &self.value {
                element.nested(NFTA_SET_ELEM_DATA, |data| {
                    data.put(NFTA_DATA_VALUE, value);
                });
            }
            if let Some(owner) = &self.owner {
                element.put(NFTA_SET_ELEM_USERDATA, &comment(owner));
            }
        });
    }

    /// The elements in such a list.
    pub(super) fn parse_list(list: &[u8]) -> Vec<Self> {
        let value = |bytes| attribute(bytes, NFTA_DATA_VALUE).map(<[u8]>::to_vec);
        attributes(list)
            .filter(|(kind, _)| *kind == NFTA_LIST_ELEM)
            .filter_map(|(_, element)| {
                Some(Self {
                    key: attribute(element, NFTA_SET_ELEM_KEY).and_then(value)?,
                    last: attribute(element, NFTA_SET_ELEM_KEY_END).and_then(value),
                    value: attribute(element, NFTA_SET_ELEM_DATA).and_then(value),
                    end: attribute(element, NFTA_SET_ELEM_FLAGS)
                        .is_some_and(|flags| flags.last().is_some_and(|f| f & 1 != 0)),
                    owner: attribute(element, NFTA_SET_ELEM_USERDATA).and_then(comment_of),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Batch;

    #[test]
    fn elements_come_back_as_they_were_written() {
        let to = ("10.1.2.3".parse().unwrap(), 80);
        let elements = [
            Element::port(None, Protocol::Tcp, 8080, to, "pod-1"),
            Element::port(
                "::1".parse().ok(),
                Protocol::Udp,
                53,
                ("fd00::5".parse().unwrap(), 53),
                "pod-2",
            ),
            Element::interface("fairing0", "net"),
            Element::within(&"10.1.2.0/24".parse().unwrap(), "net"),
        ];
        let mut batch = Batch::default();
        batch.push(1, 0, &[], |list| {
            for element in &elements {
                element.write(list);
            }
        });
        let bytes = batch.bytes().unwrap();
        assert_eq!(Element::parse_list(&bytes[16..]), elements);
        assert_eq!(elements[0].key, [6, 0, 0, 0, 0x1f, 0x90, 0, 0]);
        assert_eq!(elements[0].value, Some(vec![10, 1, 2, 3, 0, 80, 0, 0]));
        assert_eq!(elements[1].key.len(), 24);
        assert_eq!(elements[3].key, [10, 1, 2, 0, 10, 1, 2, 0]);
        assert_eq!(
            elements[3].last.as_deref(),
            Some(&[10, 1, 2, 255, 10, 1, 2, 255][..])
        );
    }

    #[test]
    fn subnets_are_intervals() {
        let both = Element::subnet(&"10.1.2.0/24".parse().unwrap(), "n");
        assert_eq!(both[0].key, [10, 1, 2, 0]);
        assert_eq!(both[1].key, [10, 1, 3, 0]);
        assert!(both[1].end && !both[0].end);
        let other = Element::subnet(&"10.2.0.0/16".parse().unwrap(), "other");
        let all = [other.as_slice(), &both].concat();
        assert_eq!(Element::of_owner(&all, "n"), both);
        assert_eq!(Element::of_owner(&all, "other"), other);
        assert_eq!(Element::of_owner(&all, "nobody"), []);
        assert_eq!(
            Element::subnet(&"255.255.0.0/16".parse().unwrap(), "n").len(),
            1
        );
    }
}
