//! SPDY within the messages of WebSocket (KEP-4006).

use std::time::Instant;

use super::pair::Incoming;
use super::spdy_pairs::SpdyPairs;
use crate::violation::Violation;
use crate::websocket::{Connection, Event, Role};

/// The most bytes that are put into one message.
const LARGEST: usize = 32 << 10;

/// A client's connection by SPDY in one by WebSocket.
pub(crate) struct Tunnel {
    websocket: Connection,
    pub(super) pairs: SpdyPairs,
    closed: bool,
}

impl Tunnel {
    pub(super) fn new() -> Self {
        let websocket = Connection::new(Role::Server);
        Self {
            websocket,
            pairs: SpdyPairs::new(),
            closed: false,
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Violation> {
        self.websocket.receive(bytes)?;
        while let Some(event) = self.websocket.event() {
            match event {
                Event::Part { bytes, .. } => self.pairs.receive(&bytes, now)?,
                Event::Closed(_) => self.closed = true,
            }
        }
        Ok(())
    }

    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        let closed = self.closed.then_some(Incoming::Gone);
        self.pairs.incoming().or(closed)
    }

    pub(super) fn refuse(&mut self, violation: &Violation) {
        self.pairs.leave(true);
        self.output();
        self.websocket
            .close(violation.code(), &violation.to_string());
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        let bytes = std::mem::take(self.pairs.output());
        for bytes in bytes.chunks(LARGEST) {
            self.websocket.send(false, &[bytes]);
        }
        self.websocket.output()
    }
}
