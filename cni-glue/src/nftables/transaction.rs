//! What is sent to nftables, and what comes back.

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::comment::{comment, comment_of};
use super::elements::Element;
use super::expression::Expression;
use super::hook::{self, Hook};
use crate::netlink::message::{
    Batch, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, attribute, text,
};
use crate::netlink::socket::{Refused, Socket};

const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_SUBSYS_NFTABLES: u16 = 10;

const NFPROTO_INET: u8 = 1;

const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;
const NEWRULE: u16 = 6;
const GETRULE: u16 = 7;
const NEWSET: u16 = 9;
const NEWSETELEM: u16 = 12;
const GETSETELEM: u16 = 13;
const DELSETELEM: u16 = 14;

/// Elements in one message: its list's length is a number of sixteen bits.
const ELEMENTS: usize = 200;

fn kind(message: u16) -> u16 {
    (NFNL_SUBSYS_NFTABLES << 8) | message
}

/// `struct nfgenmsg`.
fn header(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

/// What a set holds, by the numbers that `nft` gives to types.
#[derive(Debug, Clone, Copy)]
pub(super) struct SetType {
    pub(super) kind: u32,
    pub(super) length: u32,
}

/// What the keys of a set are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys<'a> {
    /// Values side by side.
    Exact(&'a [SetType]),
    /// Intervals of one value.
    Ranges(SetType),
    /// Intervals of several values side by side.
    RangesOf(&'a [SetType]),
}

impl Keys<'_> {
    fn parts(&self) -> &[SetType] {
        match self {
            Self::Exact(parts) | Self::RangesOf(parts) => parts,
            Self::Ranges(part) => std::slice::from_ref(part),
        }
    }

    fn flags(&self) -> u32 {
        const INTERVAL: u32 = 0x4;
        const CONCATENATION: u32 = 0x80;
        match self {
            Self::Exact(_) => 0,
            Self::Ranges(_) => INTERVAL,
            Self::RangesOf(_) => INTERVAL | CONCATENATION,
        }
    }
}

/// Several types side by side, as `nft` counts them: six bits each, and each begins at a multiple of four bytes.
fn joined(parts: &[SetType]) -> SetType {
    match parts {
        [one] => *one,
        _ => parts
            .iter()
            .fold(SetType { kind: 0, length: 0 }, |sum, part| SetType {
                kind: (sum.kind << 6) | part.kind,
                length: sum.length + part.length.next_multiple_of(4),
            }),
    }
}

/// Requests that take effect together or not at all, all of them on one table.
#[derive(Debug)]
pub(crate) struct Transaction {
    batch: Batch,
    table: &'static str,
    sets: u32,
    /// Requests so far.
    requests: u32,
}

impl Transaction {
    pub(crate) fn on(table: &'static str) -> Self {
        let mut batch = Batch::default();
        let mut header = header(0);
        header[2..].copy_from_slice(&NFNL_SUBSYS_NFTABLES.to_be_bytes());
        batch.push(NFNL_MSG_BATCH_BEGIN, 0, &header, |_| ());
        Self {
            batch,
            table,
            sets: 0,
            requests: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests == 0
    }

    fn push(
        &mut self,
        message: u16,
        flags: u16,
        attributes: impl FnOnce(&mut crate::netlink::message::Attributes<'_>),
    ) {
        self.requests += 1;
        // Each is acknowledged: only the last is waited for, and which that is isn't known yet. The kernel
        // keeps the answers of some hundred requests, which is more than a transaction has.
        self.batch.push(
            kind(message),
            flags | NLM_F_ACK,
            &header(NFPROTO_INET),
            attributes,
        );
    }

    pub(super) fn new_table(&mut self, note: &str) {
        let table = self.table;
        self.push(NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, |a| {
            a.text(1, table).put(6, &comment(note));
        });
    }

    pub(crate) fn delete_table(&mut self) {
        let table = self.table;
        self.push(DELTABLE, 0, |a| {
            a.text(1, table);
        });
    }

    pub(super) fn new_chain(&mut self, name: &str, hook: Option<Hook>) {
        let table = self.table;
        self.push(NEWCHAIN, NLM_F_CREATE, |a| {
            a.text(1, table).text(3, name);
            if let Some(hook) = hook {
                a.nested(4, |place| {
                    place
                        .big_endian(1, hook.number)
                        .big_endian(2, hook.priority.cast_unsigned());
                })
                .text(7, hook.kind);
            }
        });
    }

    pub(super) fn new_rule(&mut self, chain: &str, note: &str, expressions: &[Expression]) {
        let table = self.table;
        self.push(NEWRULE, NLM_F_CREATE | NLM_F_APPEND, |a| {
            a.text(1, table)
                .text(2, chain)
                .nested(4, |list| {
                    for expression in expressions {
                        expression.write(list);
                    }
                })
                .put(7, &comment(note));
        });
    }

    /// A set of keys; with values, a map.
    pub(super) fn new_set(&mut self, name: &str, keys: Keys<'_>, values: Option<&[SetType]>) {
        const MAP: u32 = 0x8;
        let table = self.table;
        self.sets += 1;
        let id = self.sets;
        let flags = keys.flags() | if values.is_some() { MAP } else { 0 };
        let key = joined(keys.parts());
        self.push(NEWSET, NLM_F_CREATE, |a| {
            a.text(1, table)
                .text(2, name)
                .big_endian(3, flags)
                .big_endian(4, key.kind)
                .big_endian(5, key.length);
            if let Some(value) = values.map(joined) {
                a.big_endian(6, value.kind).big_endian(7, value.length);
            }
            if let Keys::RangesOf(parts) = keys {
                // The kernel wants to know where each part ends.
                a.nested(9, |description| {
                    description.nested(2, |fields| {
                        for part in parts {
                            fields.nested(1, |field| {
                                field.big_endian(1, part.length);
                            });
                        }
                    });
                });
            }
            a.big_endian(10, id);
        });
    }

    /// Adds elements. One that is there already is no error if its value is the same.
    pub(crate) fn add(&mut self, set: &str, elements: &[Element]) {
        self.change(NEWSETELEM, NLM_F_CREATE, set, elements);
    }

    /// Removes elements, each of which must be there.
    pub(crate) fn remove(&mut self, set: &str, elements: &[Element]) {
        self.change(DELSETELEM, 0, set, elements);
    }

    fn change(&mut self, message: u16, flags: u16, set: &str, elements: &[Element]) {
        let table = self.table;
        for some in elements.chunks(ELEMENTS) {
            self.push(message, flags, |a| {
                a.text(1, table).text(2, set).nested(3, |list| {
                    for element in some {
                        element.write(list);
                    }
                });
            });
        }
    }
}

/// nftables in the network namespace where the connection was opened.
#[derive(Debug)]
pub(crate) struct Nftables(Socket);

impl Nftables {
    pub(crate) fn open() -> Result<Self, Errno> {
        Socket::open(SockProtocol::NetlinkNetFilter).map(Self)
    }

    pub(crate) fn commit(&mut self, transaction: Transaction) -> Result<(), Refused> {
        if transaction.is_empty() {
            return Ok(());
        }
        let mut batch = transaction.batch;
        let last = batch.count();
        let mut header = header(0);
        header[2..].copy_from_slice(&NFNL_SUBSYS_NFTABLES.to_be_bytes());
        batch.push(NFNL_MSG_BATCH_END, 0, &header, |_| ());
        self.0.transact(&batch, last)
    }

    /// The comment of a table; `None` if there is no such table.
    pub(crate) fn table(&mut self, name: &str) -> Result<Option<String>, Refused> {
        let mut batch = Batch::default();
        batch.push(kind(GETTABLE), NLM_F_ACK, &header(NFPROTO_INET), |a| {
            a.text(1, name);
        });
        let mut note = String::new();
        let outcomes = self.0.exchange(&batch, |message| {
            if let Some(data) = attribute(message.payload.get(4..).unwrap_or_default(), 6) {
                note = comment_of(data).unwrap_or_default();
            }
        })?;
        match outcomes.into_iter().collect::<Result<(), _>>() {
            Ok(()) => Ok(Some(note)),
            Err(refused) if refused.errno == Errno::ENOENT => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// The elements of a set or map; none if there is no such set.
    pub(crate) fn elements(&mut self, table: &str, set: &str) -> Result<Vec<Element>, Refused> {
        let mut batch = Batch::default();
        batch.push(kind(GETSETELEM), NLM_F_DUMP, &header(NFPROTO_INET), |a| {
            a.text(1, table).text(2, set);
        });
        let found = self.0.collect(&batch, |message| {
            let list = attribute(message.payload.get(4..).unwrap_or_default(), 3);
            match list.filter(|_| message.kind == kind(NEWSETELEM)) {
                Some(list) => Element::parse_list(list),
                None => Vec::new(),
            }
        });
        match found {
            Err(refused) if refused.errno == Errno::ENOENT => Ok(Vec::new()),
            other => other,
        }
    }

    /// Chains of others that forwarded packets come through and that drop what no rule of theirs lets pass, as
    /// `FAMILY TABLE CHAIN`; but for tables with a rule that speaks of `links`.
    pub(crate) fn dropping_forward_chains(
        &mut self,
        own: &str,
        links: &str,
    ) -> Result<Vec<String>, Refused> {
        let mut batch = Batch::default();
        batch.push(kind(GETCHAIN), NLM_F_DUMP, &header(0), |_| ());
        let found = self.0.collect(&batch, |message| {
            let family = message.payload.first().copied().unwrap_or_default();
            let attributes = message.payload.get(4..).unwrap_or_default();
            let number = |bytes: Option<&[u8]>| {
                bytes
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(u32::from_be_bytes)
            };
            let hook = attribute(attributes, 4).and_then(|place| number(attribute(place, 1)));
            let policy = number(attribute(attributes, 5));
            let table = attribute(attributes, 1).map(text).unwrap_or_default();
            let chain = attribute(attributes, 3).map(text).unwrap_or_default();
            let word = match family {
                1 => "inet",
                2 => "ip",
                10 => "ip6",
                _ => return None,
            };
            let drops = hook == Some(hook::FORWARD) && policy == Some(0) && table != own;
            let name = format!("{word} {table} {chain}");
            drops.then(|| (family, table.to_owned(), name))
        })?;
        let mut dropping = Vec::new();
        for (family, table, name) in found {
            if !self.speaks_of(family, &table, links)? {
                dropping.push(name);
            }
        }
        Ok(dropping)
    }

    /// Whether some rule of a table has that text in it, such as the beginning of an interface's name.
    fn speaks_of(&mut self, family: u8, table: &str, text: &str) -> Result<bool, Refused> {
        let mut batch = Batch::default();
        batch.push(kind(GETRULE), NLM_F_DUMP, &header(family), |a| {
            a.text(1, table);
        });
        let found = self.0.collect(&batch, |message| {
            let mut windows = message.payload.windows(text.len());
            windows
                .any(|window| window == text.as_bytes())
                .then_some(())
        })?;
        Ok(!found.is_empty())
    }
}
