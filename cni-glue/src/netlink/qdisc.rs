//! What a link does with packets before they leave it: queueing disciplines, of which a token bucket (tc-tbf(8)) is
//! made here.

use super::message::{
    Batch, Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_REPLACE, attribute, text, u32_at,
    u64_at,
};

const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;

/// The place of the one that a link's packets meet first.
const TC_H_ROOT: u32 = 0xffff_ffff;
/// The number 1:0, by which `tc` shows it.
const HANDLE: u32 = 0x0001_0000;
const TC_LINKLAYER_ETHERNET: u8 = 1;

/// `struct tcmsg`.
const TCMSG: usize = 20;
/// `struct tc_tbf_qopt`: two of `struct tc_ratespec`, of twelve bytes each, and three numbers.
const TBF_QOPT: usize = 36;
const RATE: usize = 8;
const LIMIT: usize = 24;
const BUFFER: usize = 28;

/// The kernel counts time in 64 ns here, whatever its clock does.
const TICK_NS: u64 = 64;
const NS: u64 = 1_000_000_000;

/// A bucket that fills at a rate; packets wait in a queue for what they need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tbf {
    /// Bytes a second.
    pub(crate) rate: u64,
    /// What the bucket holds, in bytes. Larger packets are taken apart where that can be done, and dropped otherwise.
    pub(crate) burst: u32,
    /// What may wait, in bytes. What comes then is dropped.
    pub(crate) limit: u32,
}

/// What a link has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Qdisc {
    pub(crate) link: u32,
    parent: u32,
    pub(crate) kind: String,
    tbf: Option<Shown>,
}

/// A token bucket as the kernel tells of it: the bucket by the time that it takes to fill, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    rate: u64,
    limit: u32,
    buffer: u32,
}

fn header(index: u32, handle: u32) -> [u8; TCMSG] {
    let mut bytes = [0; TCMSG];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&handle.to_ne_bytes());
    bytes[12..16].copy_from_slice(&TC_H_ROOT.to_ne_bytes());
    bytes
}

/// Makes a token bucket the first thing that packets meet which leave by the link `index`.
pub(crate) fn replace_root(batch: &mut Batch, index: u32, kind: &str, tbf: &Tbf) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    batch.push(RTM_NEWQDISC, flags, &header(index, HANDLE), |a| {
        a.text(TCA_KIND, kind).nested(TCA_OPTIONS, |options| {
            options
                .put(TCA_TBF_PARMS, &tbf.parameters())
                .put(TCA_TBF_RATE64, &tbf.rate.to_ne_bytes())
                .number(TCA_TBF_BURST, tbf.burst);
        });
    });
}

/// Asks for what [`replace_root`] makes. The kernel would tell those alone who listen for changes, but for the echo.
pub(crate) fn get_root(batch: &mut Batch, index: u32) {
    batch.push(
        RTM_GETQDISC,
        NLM_F_ACK | NLM_F_ECHO,
        &header(index, 0),
        |_| (),
    );
}

impl Tbf {
    /// Its name.
    pub(crate) const KIND: &str = "tbf";

    fn parameters(&self) -> [u8; TBF_QOPT] {
        let mut bytes = [0; TBF_QOPT];
        // That packets are counted as they are, and rates given in full.
        bytes[1] = TC_LINKLAYER_ETHERNET;
        let rate = u32::try_from(self.rate).unwrap_or(u32::MAX);
        bytes[RATE..RATE + 4].copy_from_slice(&rate.to_ne_bytes());
        bytes[LIMIT..LIMIT + 4].copy_from_slice(&self.limit.to_ne_bytes());
        bytes
    }

    /// How long the bucket takes to fill, in ticks, if that can be told.
    fn buffer(&self) -> Option<u32> {
        let ns = u128::from(self.burst) * u128::from(NS) / u128::from(self.rate.max(1));
        u32::try_from(ns / u128::from(TICK_NS)).ok()
    }
}

impl Qdisc {
    pub(crate) fn parse(message: &Message<'_>) -> Option<Self> {
        if message.kind != RTM_NEWQDISC {
            return None;
        }
        let value = |wanted| {
            let mut attributes = message.attributes(TCMSG);
            attributes
                .find(|(kind, _)| *kind == wanted)
                .map(|(_, value)| value)
        };
        let kind = text(value(TCA_KIND)?);
        let tbf = (kind == Tbf::KIND)
            .then(|| Shown::parse(value(TCA_OPTIONS)?))
            .flatten();
        Some(Self {
            link: u32_at(message.payload, 4)?,
            parent: u32_at(message.payload, 12)?,
            kind,
            tbf,
        })
    }

    /// Whether it is what [`replace_root`] makes.
    pub(crate) fn is(&self, tbf: &Tbf) -> bool {
        self.parent == TC_H_ROOT && self.tbf.is_some_and(|shown| shown.is(tbf))
    }
}

impl Shown {
    fn parse(options: &[u8]) -> Option<Self> {
        let parameters = attribute(options, TCA_TBF_PARMS)?;
        let rate = u64::from(u32_at(parameters, RATE)?);
        let large = attribute(options, TCA_TBF_RATE64).and_then(|value| u64_at(value, 0));
        Some(Self {
            rate: large.unwrap_or(rate),
            limit: u32_at(parameters, LIMIT)?,
            buffer: u32_at(parameters, BUFFER)?,
        })
    }

    fn is(&self, tbf: &Tbf) -> bool {
        // The kernel divides by a product that is a little off; and what has no room is shown cut.
        let is_near = |expected: u32| self.buffer.abs_diff(expected) <= 2 + expected / 1024;
        self.rate == tbf.rate && self.limit == tbf.limit && tbf.buffer().is_none_or(is_near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::messages;
    use crate::netns::Netns;
    use nix::errno::Errno;

    /// The index of every namespace's loopback.
    const LOOPBACK: u32 = 1;

    const SMALL: Tbf = Tbf {
        rate: 1_250_000,
        burst: 73_728,
        limit: 136_228,
    };

    fn put(netns: &mut Netns, kind: &str, tbf: &Tbf) -> Result<(), Errno> {
        let mut batch = Batch::default();
        replace_root(&mut batch, LOOPBACK, kind, tbf);
        let outcome = netns.rtnetlink().apply_all(&batch);
        outcome.map_err(|refused| refused.errno)
    }

    #[test]
    fn the_kernel_shows_what_was_put_in() {
        let mut netns = Netns::with_loopback().unwrap();
        let root = |netns: &mut Netns| netns.rtnetlink().root_qdisc(LOOPBACK).unwrap();
        assert!(root(&mut netns).is_none_or(|qdisc| !qdisc.is(&SMALL)));
        let slow = Tbf {
            rate: 125,
            burst: 16_384,
            limit: 16_390,
        };
        let fast = Tbf {
            rate: 125_000_000_000_000,
            burst: u32::MAX,
            limit: u32::MAX,
        };
        let all = [SMALL, slow, fast];
        for tbf in all {
            put(&mut netns, Tbf::KIND, &tbf).unwrap();
            let shown = root(&mut netns).unwrap();
            assert_eq!((shown.link, shown.kind.as_str()), (LOOPBACK, "tbf"));
            for other in all {
                assert_eq!(shown.is(&other), tbf == other, "{shown:?} {other:?}");
            }
            let other = Tbf {
                burst: tbf.burst / 2,
                ..tbf
            };
            assert!(other.buffer().is_none() || !shown.is(&other), "{shown:?}");
        }
    }

    #[test]
    fn a_kernel_that_lacks_one_has_an_errno_for_it() {
        let mut netns = Netns::with_loopback().unwrap();
        assert_eq!(put(&mut netns, "nosuch", &SMALL), Err(Errno::ENOENT));
    }

    #[test]
    fn rates_above_32_bits_are_told_in_full() {
        let tbf = Tbf {
            rate: 5_000_000_000,
            ..SMALL
        };
        let mut batch = Batch::default();
        replace_root(&mut batch, 7, Tbf::KIND, &tbf);
        let bytes = batch.bytes().unwrap();
        let found = Qdisc::parse(&messages(bytes).next().unwrap()).unwrap();
        assert_eq!((found.link, found.tbf.unwrap().rate), (7, 5_000_000_000));
    }

    #[test]
    fn torn_answers_are_nothing() {
        let mut batch = Batch::default();
        replace_root(&mut batch, 7, Tbf::KIND, &SMALL);
        let bytes = batch.bytes().unwrap().to_vec();
        for length in 0..bytes.len() {
            assert_eq!(messages(&bytes[..length]).count(), 0);
        }
        let mut torn = bytes;
        let options = 16 + TCMSG + 8;
        torn[options] = 12; // the length of the options
        let found = Qdisc::parse(&messages(&torn).next().unwrap()).unwrap();
        assert!(!found.is(&SMALL));
    }
}
