//! The parts of rules, as the kernel's little machine knows them.

use crate::netlink::message::Attributes;

/// The registers that are used: four bytes each.
pub(super) const R0: u32 = 8;
pub(super) const R1: u32 = 9;
pub(super) const R2: u32 = 10;
/// The first after an IPv6 address in [`R0`].
pub(super) const R4: u32 = 12;
pub(super) const R5: u32 = 13;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;

/// What is known of a packet beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meta {
    /// The interface that it came in by, by name.
    InterfaceIn = 6,
    /// The interface that it goes out by, by name.
    InterfaceOut = 7,
    /// IPv4 or IPv6.
    Family = 15,
    /// TCP, UDP, …
    Protocol = 16,
}

/// What connection tracking knows of a packet's connection, as bits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Connection {
    State = 0,
    Status = 2,
}

/// Where a value is in the packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    base: u32,
    offset: u32,
    length: u32,
}

impl Field {
    /// So many bytes after the beginning of the network's header.
    pub(super) const fn of_network(offset: u32, length: u32) -> Self {
        Self {
            base: 1,
            offset,
            length,
        }
    }

    /// So many bytes after the beginning of the transport's header.
    pub(super) const fn of_transport(offset: u32, length: u32) -> Self {
        Self {
            base: 2,
            offset,
            length,
        }
    }

    /// Only its first bytes.
    pub(super) fn first(self, length: u32) -> Self {
        Self { length, ..self }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Jump(&'static str),
}

#[derive(Debug, Clone)]
pub(super) enum Expression {
    Meta(Meta, u32),
    Connection(Connection, u32),
    /// What kind of address the destination is.
    DestinationType(u32),
    Payload(Field, u32),
    /// Only these bits stay.
    Mask(u32, Vec<u8>),
    /// The rule goes on if the register begins with this.
    Equal(u32, Vec<u8>),
    NotEqual(u32, Vec<u8>),
    In(&'static str, u32),
    NotIn(&'static str, u32),
    /// The rule goes on with what the map holds for the key.
    Map {
        name: &'static str,
        key: u32,
        value: u32,
    },
    DestinationNat {
        family: u8,
        address: u32,
        port: u32,
    },
    Masquerade,
    Verdict(Verdict),
}

impl Expression {
    fn name(&self) -> &'static str {
        match self {
            Self::Meta(..) => "meta",
            Self::Connection(..) => "ct",
            Self::DestinationType(_) => "fib",
            Self::Payload(..) => "payload",
            Self::Mask(..) => "bitwise",
            Self::Equal(..) | Self::NotEqual(..) => "cmp",
            Self::In(..) | Self::NotIn(..) | Self::Map { .. } => "lookup",
            Self::DestinationNat { .. } => "nat",
            Self::Masquerade => "masq",
            Self::Verdict(_) => "immediate",
        }
    }

    pub(super) fn write(&self, list: &mut Attributes<'_>) {
        list.nested(NFTA_LIST_ELEM, |element| {
            element
                .text(NFTA_EXPR_NAME, self.name())
                .nested(NFTA_EXPR_DATA, |data| self.write_data(data));
        });
    }

    fn write_data(&self, data: &mut Attributes<'_>) {
        match self {
            // Each number is the attribute's in the expression's own list.
            Self::Meta(key, to) => {
                data.big_endian(1, *to).big_endian(2, *key as u32);
            }
            Self::Connection(key, to) => {
                data.big_endian(1, *to).big_endian(2, *key as u32);
            }
            Self::DestinationType(to) => {
                // Result: the address's type; of the destination.
                data.big_endian(1, *to)
                    .big_endian(2, 3)
                    .big_endian(3, 1 << 1);
            }
            Self::Payload(field, to) => {
                data.big_endian(1, *to)
                    .big_endian(2, field.base)
                    .big_endian(3, field.offset)
                    .big_endian(4, field.length);
            }
            Self::Mask(register, mask) => {
                data.big_endian(1, *register)
                    .big_endian(2, *register)
                    .big_endian(3, u32::try_from(mask.len()).unwrap_or_default())
                    .nested(4, |value| {
                        value.put(NFTA_DATA_VALUE, mask);
                    })
                    .nested(5, |value| {
                        value.put(NFTA_DATA_VALUE, &vec![0; mask.len()]);
                    });
            }
            Self::Equal(register, value) => compare(data, *register, 0, value),
            Self::NotEqual(register, value) => compare(data, *register, 1, value),
            Self::In(set, key) => lookup(data, set, *key, None, false),
            Self::NotIn(set, key) => lookup(data, set, *key, None, true),
            Self::Map { name, key, value } => lookup(data, name, *key, Some(*value), false),
            Self::DestinationNat {
                family,
                address,
                port,
            } => {
                data.big_endian(1, 1)
                    .big_endian(2, u32::from(*family))
                    .big_endian(3, *address)
                    .big_endian(5, *port);
            }
            Self::Masquerade => (),
            Self::Verdict(verdict) => {
                let (code, chain) = match verdict {
                    Verdict::Accept => (1i32, None),
                    Verdict::Drop => (0, None),
                    Verdict::Jump(chain) => (-3, Some(chain)),
                };
                // Register 0 is the verdict's.
                data.big_endian(1, 0).nested(2, |value| {
                    value.nested(NFTA_DATA_VERDICT, |verdict| {
                        verdict.big_endian(1, code.cast_unsigned());
                        if let Some(chain) = chain {
                            verdict.text(2, chain);
                        }
                    });
                });
            }
        }
    }
}

fn compare(data: &mut Attributes<'_>, register: u32, operation: u32, value: &[u8]) {
    data.big_endian(1, register)
        .big_endian(2, operation)
        .nested(3, |data| {
            data.put(NFTA_DATA_VALUE, value);
        });
}

fn lookup(data: &mut Attributes<'_>, set: &str, key: u32, value: Option<u32>, not: bool) {
    data.text(1, set).big_endian(2, key);
    if let Some(value) = value {
        data.big_endian(3, value);
    }
    if not {
        data.big_endian(5, 1);
    }
}
