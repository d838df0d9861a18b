//! How much one side of a connection may be made to hold.

use crate::link::frames::{HEADER, PAYLOAD_MAX};

/// Data that waits to be sent, of all streams together, in bytes: what a message may have to wait for.
pub(super) const DATA_WAITING_MAX: usize = 64 << 10;

/// The longest control message, in bytes: as long as one over a local socket ([`pod::seqpacket::MESSAGE_MAX`]).
const MESSAGE_MAX: usize = 8 << 20;

/// How much may be held, on both sides alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Streams at a time.
    pub streams: usize,
    /// Data of one stream, in bytes.
    pub window: usize,
    /// One control message, in bytes.
    pub message: usize,
    /// Control messages that wait to be read, or to be sent, in bytes.
    pub messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 1024,
            window: 64 << 10,
            message: MESSAGE_MAX,
            messages: 3 * MESSAGE_MAX,
        }
    }
}

impl Limits {
    /// More than one side ever holds ([`super::Multiplexer::bytes_held`]) if it reads no more than `read` bytes at once: what
    /// each stream may hold, data that waits to go out, and messages in both directions. Credit and ends of streams
    /// take little beside them.
    pub fn most_held(&self, read: usize) -> usize {
        let each = self.window + 8 * HEADER;
        let data = 2 * (DATA_WAITING_MAX + PAYLOAD_MAX + HEADER);
        self.streams * each + data + 3 * self.messages + self.message + PAYLOAD_MAX + read
    }
}
