//! What a fuzzer runs on bytes that come over a link: see `fuzz/README.md`.

use std::collections::BTreeMap;

use super::framed::parse;
use super::frames::{Frame, Hello, Nonce};
use super::multiplex::{Limits, MultiplexError, Multiplexer, Side};
use super::stream::{StreamId, StreamKind};
use crate::protocol::FromInit;

const LIMITS: Limits = Limits {
    streams: 4,
    window: 100,
    message: 1000,
    messages: 3000,
};

const OWN: Nonce = [1; 16];
const OTHER: Nonce = [2; 16];

/// Frames, as either side hears them: in pieces of the size that the first byte says they mean the same as in one, and
/// never is more held than the limits say.
pub fn frames(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else {
        return;
    };
    let size = usize::from(*size) + 1;
    for side in [Side::Monitor, Side::PodInit] {
        for has_begun in [true, false] {
            let in_one = receive(side, has_begun, bytes, bytes.len().max(1));
            let in_pieces = receive(side, has_begun, bytes, size);
            assert_eq!(in_one, in_pieces);
        }
    }
}

/// What was understood.
#[derive(Debug, Default, PartialEq)]
struct Understood {
    has_begun: bool,
    messages: Vec<Vec<u8>>,
    data: BTreeMap<StreamId, Vec<u8>>,
    error: Option<MultiplexError>,
}

fn receive(side: Side, has_begun: bool, bytes: &[u8], size: usize) -> Understood {
    let mut ears = Multiplexer::new(side, LIMITS, OWN);
    let mut understood = Understood::default();
    if has_begun {
        let hello = Hello {
            own: OTHER,
            heard: OWN,
        };
        let mut first = Vec::new();
        Frame::Hello(hello).write(&mut first);
        understood.error = ears.receive(&first).err();
    }
    if side == Side::Monitor {
        for kind in [StreamKind::FromPod, StreamKind::Terminal] {
            understood.error = understood.error.or(ears.open(kind).err());
        }
    }
    let before = ears.bytes_held();
    for piece in bytes.chunks(size) {
        if understood.error.is_some() {
            break;
        }
        understood.error = ears.receive(piece).err();
        assert!(ears.bytes_held() <= before + LIMITS.most_held(size));
        while let Some(message) = ears.next_message() {
            understood.messages.push(message);
        }
    }
    for id in ears.streams() {
        while !ears.held(id).is_empty() {
            let held = ears.held(id).to_vec();
            ears.take(id, held.len());
            understood.data.entry(id).or_default().extend(held);
        }
    }
    understood.has_begun = ears.has_begun();
    understood
}

/// What pod init, which nobody trusts, tells the monitor.
pub fn init_message(data: &[u8]) {
    let Ok(message) = parse::<FromInit>(data) else {
        return;
    };
    let written = serde_json::to_vec(&message).unwrap_or_default();
    assert_eq!(parse::<FromInit>(&written).ok(), Some(message));
}

#[cfg(test)]
mod tests {
    #[test]
    fn frames() {
        replay::replay("frames", 4000, super::frames);
    }

    #[test]
    fn init_message() {
        replay::replay("init_message", 20_000, super::init_message);
    }
}
