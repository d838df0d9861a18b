//! Pairs over channels of WebSocket: for each port that was asked for, one of data and one of
//! errors, which begin with the port.

use std::collections::VecDeque;

use super::pair::{Ending, Incoming, Pair};
use crate::violation::Violation;
use crate::websocket::{ChannelReader, Connection, Encoding, Event, Role, write_channel};

/// The most ports: each has two channels, which are numbered by a byte, or by a digit.
const MOST_BINARY: usize = 127;
const MOST_BASE64: usize = 5;
/// The most bytes that are put into one message.
const LARGEST: usize = 32 << 10;

/// The channels of a client, paired.
pub(crate) struct ChannelPairs {
    connection: Connection,
    reader: ChannelReader,
    encoding: Encoding,
    /// Which pairs are still open.
    open: Vec<bool>,
    incoming: VecDeque<Incoming>,
}

impl ChannelPairs {
    /// Whether so many ports can be served in this encoding.
    pub(super) fn can_have(encoding: Encoding, ports: usize) -> bool {
        let most = match encoding {
            Encoding::Binary => MOST_BINARY,
            Encoding::Base64 => MOST_BASE64,
        };
        (1..=most).contains(&ports)
    }

    pub(super) fn new(encoding: Encoding, ports: &[u16]) -> Self {
        let mut pairs = Self {
            connection: Connection::new(Role::Server),
            reader: ChannelReader::new(encoding),
            encoding,
            open: vec![true; ports.len()],
            incoming: VecDeque::new(),
        };
        for (pair, port) in (0..).zip(ports) {
            pairs.put(data(pair), &port.to_le_bytes());
            pairs.put(error(pair), &port.to_le_bytes());
            pairs.incoming.push_back(Incoming::Connect(pair, *port));
        }
        pairs
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.connection.receive(bytes)?;
        while let Some(event) = self.connection.event() {
            match event {
                Event::Part { first, last, bytes } => {
                    if let Some((number, bytes)) = self.reader.read(first, last, bytes)? {
                        self.message(number, bytes);
                    }
                }
                Event::Closed(_) => self.incoming.push_back(Incoming::Gone),
            }
        }
        Ok(())
    }

    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        self.incoming.pop_front()
    }

    pub(super) fn send(&mut self, pair: Pair, bytes: &[u8]) {
        for bytes in bytes.chunks(LARGEST) {
            self.put(data(pair), bytes);
        }
    }

    /// Ends a pair. When none is left, the connection ends: there is no other way to say so.
    pub(super) fn finish(&mut self, pair: Pair, ending: Ending<'_>) {
        if let Ending::Failed(text) = ending {
            self.put(error(pair), text.as_bytes());
        }
        if let Some(open) = usize::try_from(pair)
            .ok()
            .and_then(|pair| self.open.get_mut(pair))
        {
            *open = false;
        }
        if self.is_over() {
            self.connection.close(1000, "");
        }
    }

    /// Whether no pair is left.
    pub(super) fn is_over(&self) -> bool {
        !self.open.contains(&true)
    }

    pub(super) fn refuse(&mut self, violation: &Violation) {
        self.connection
            .close(violation.code(), &violation.to_string());
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        self.connection.output()
    }

    fn message(&mut self, number: u8, bytes: Vec<u8>) {
        let pair = Pair::from(number / 2);
        let open = self.open.get(usize::from(number / 2)) == Some(&true);
        // What is sent on a channel of errors is for nobody.
        if number.is_multiple_of(2) && open && !bytes.is_empty() {
            self.incoming.push_back(Incoming::Data(pair, bytes));
        }
    }

    fn put(&mut self, channel: u8, bytes: &[u8]) {
        let (first, rest) = write_channel(self.encoding, channel, bytes);
        self.connection
            .send(self.encoding == Encoding::Base64, &[&[first], &rest]);
    }
}

fn data(pair: Pair) -> u8 {
    u8::try_from(pair * 2).unwrap_or(u8::MAX)
}

fn error(pair: Pair) -> u8 {
    u8::try_from(pair * 2 + 1).unwrap_or(u8::MAX)
}
