//! Messages of netlink(7): how they are put together and taken apart. Pure functions over bytes.

/// An answer to the request with the same sequence number: zero or an errno, negated.
pub(crate) const NLMSG_ERROR: u16 = 2;
/// The end of a dump.
pub(crate) const NLMSG_DONE: u16 = 3;

pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_ECHO: u16 = 0x8;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
pub(crate) const NLM_F_EXCL: u16 = 0x200;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLM_F_APPEND: u16 = 0x800;

/// The objects of a dump changed while it was made: some may be missing.
const NLM_F_DUMP_INTR: u16 = 0x10;
/// In an answer: the request's payload isn't repeated; the kernel's words follow.
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

const HEADER: usize = 16;
/// The bits of an attribute's type that tell its form.
const NLA_F_NESTED: u16 = 0x8000;
const NLA_TYPE_MASK: u16 = 0x3fff;

/// Requests that are sent to the kernel in one piece.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    count: u32,
    too_long: bool,
}

impl Batch {
    /// Appends a request with this fixed `header`; `attributes` adds what follows it.
    pub(crate) fn push(
        &mut self,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) -> &mut Self {
        let start = self.bytes.len();
        self.count += 1;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend([0; 4]); // port: the kernel's
        self.bytes.extend(header);
        pad(&mut self.bytes);
        attributes(&mut Attributes {
            bytes: &mut self.bytes,
            too_long: &mut self.too_long,
        });
        let length = self.bytes.len() - start;
        match u32::try_from(length) {
            Ok(length) => overwrite(&mut self.bytes, start, &length.to_ne_bytes()),
            Err(_) => self.too_long = true,
        }
        self
    }

    /// How many requests there are; they are numbered from one.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The bytes to send; `None` if a part didn't fit into the lengths that the protocol has.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        (!self.too_long).then_some(&self.bytes)
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn overwrite(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Adds attributes to a request.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
    too_long: &'a mut bool,
}

impl Attributes<'_> {
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.with_length(kind, |attributes| attributes.bytes.extend(value))
    }

    pub(crate) fn flag(&mut self, kind: u16) -> &mut Self {
        self.put(kind, &[])
    }

    pub(crate) fn byte(&mut self, kind: u16, value: u8) -> &mut Self {
        self.put(kind, &[value])
    }

    /// A number in the machine's byte order, as rtnetlink wants them.
    pub(crate) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// A number in the network's byte order, as nfnetlink wants them.
    pub(crate) fn big_endian(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    pub(crate) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.with_length(kind, |attributes| {
            attributes.bytes.extend(value.as_bytes());
            attributes.bytes.push(0);
        })
    }

    /// An attribute that holds attributes.
    pub(crate) fn nested(
        &mut self,
        kind: u16,
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) -> &mut Self {
        self.with_length(kind | NLA_F_NESTED, attributes)
    }

    /// Bytes as they are: a fixed header within an attribute.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        pad(self.bytes);
        self
    }

    fn with_length(&mut self, kind: u16, value: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        value(&mut Attributes {
            bytes: self.bytes,
            too_long: self.too_long,
        });
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => overwrite(self.bytes, start, &length.to_ne_bytes()),
            Err(_) => *self.too_long = true,
        }
        pad(self.bytes);
        self
    }
}

/// One message that the kernel sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The messages in one datagram. Stops at the first that is torn.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: bytes.get(HEADER..length)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

impl Message<'_> {
    /// Whether the dump that this is a part of may lack something.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.kind != NLMSG_ERROR && self.flags & NLM_F_DUMP_INTR != 0
    }

    /// The errno of an acknowledgement, 0 for success, and what the kernel said to it.
    pub(crate) fn outcome(&self) -> Option<(i32, Option<String>)> {
        if self.kind != NLMSG_ERROR {
            return None;
        }
        let code = u32_at(self.payload, 0)?.cast_signed().saturating_neg();
        Some((code, self.words()))
    }

    fn words(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let repeated = if self.flags & NLM_F_CAPPED == 0 {
            u32_at(self.payload, 4)? as usize
        } else {
            HEADER
        };
        let rest = self.payload.get(4 + repeated.next_multiple_of(4)..)?;
        attributes(rest)
            .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
            .map(|(_, value)| text(value))
    }

    /// The attributes after a fixed header of `header` bytes.
    pub(crate) fn attributes(&self, header: usize) -> impl Iterator<Item = (u16, &[u8])> {
        attributes(self.payload.get(header..).unwrap_or_default())
    }
}

/// The attributes in `bytes`, type and value. Stops at the first that is torn.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of type `wanted`.
pub(crate) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

/// A string up to its NUL byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let value = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(value))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let value = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(value))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let value = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_ne_bytes(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let mut batch = Batch::default();
        batch.push(16, NLM_F_ACK, &[7, 0, 0, 0], |attributes| {
            attributes.text(3, "eth0").nested(18, |inner| {
                inner.number(1, 1500).byte(2, 9);
            });
        });
        batch.push(18, 0, &[], |_| ());
        let bytes = batch.bytes().unwrap();
        let found: Vec<_> = messages(bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].sequence), (16, 1));
        assert_eq!((found[1].kind, found[1].sequence), (18, 2));
        let outer: Vec<_> = found[0].attributes(4).collect();
        assert_eq!(text(outer[0].1), "eth0");
        assert_eq!(
            attribute(outer[1].1, 1).and_then(|v| u32_at(v, 0)),
            Some(1500)
        );
        assert_eq!(attribute(outer[1].1, 2), Some(&[9][..]));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn an_interrupted_dump_is_told_from_a_whole_one() {
        let mut batch = Batch::default();
        for (kind, flags) in [
            (16, 0x2),
            (16, 0x12),
            (NLMSG_DONE, 0x12),
            (NLMSG_ERROR, 0x10),
        ] {
            batch.push(kind, flags, &[0; 4], |_| ());
        }
        let found = messages(batch.bytes().unwrap()).map(|m| m.is_interrupted());
        assert_eq!(found.collect::<Vec<_>>(), [false, true, true, false]);
    }

    #[test]
    fn a_value_that_does_not_fit_is_noticed() {
        let mut batch = Batch::default();
        batch.push(1, 0, &[], |attributes| {
            attributes.put(1, &vec![0; 70_000]);
        });
        assert!(batch.bytes().is_none());
    }

    #[test]
    fn torn_answers_end_the_list() {
        let mut batch = Batch::default();
        batch.push(1, 0, &[1, 2, 3, 4], |attributes| {
            attributes.number(1, 5);
        });
        let bytes = batch.bytes().unwrap();
        for length in 0..bytes.len() {
            assert_eq!(messages(&bytes[..length]).count(), 0, "{length}");
        }
        let mut torn = bytes.to_vec();
        torn[20] = 200; // the attribute's length
        assert_eq!(messages(&torn).next().unwrap().attributes(4).count(), 0);
    }
}
