//! Channels over WebSocket: numbers at the beginning of messages.

use super::channel::{Channel, Incoming};
use super::status::Status;
use super::version::Version;
use crate::process::Wanted;
use crate::violation::Violation;
use crate::websocket::{ChannelReader, Connection, Encoding, Event, Role, write_channel};

/// The channel that says which other channel ends, in the fifth version.
const CLOSE: u8 = 255;
/// The most bytes that are put into one message.
const LARGEST: usize = 32 << 10;

pub(crate) struct WebSocketChannels {
    connection: Connection,
    reader: ChannelReader,
    version: Version,
    encoding: Encoding,
    wanted: Wanted,
    /// What was received, in the order in which it came.
    incoming: std::collections::VecDeque<Incoming>,
}

impl WebSocketChannels {
    pub(super) fn new(version: Version, encoding: Encoding, wanted: Wanted) -> Self {
        let mut channels = Self {
            connection: Connection::new(Role::Server),
            reader: ChannelReader::new(encoding),
            version,
            encoding,
            wanted,
            incoming: std::collections::VecDeque::new(),
        };
        // By an empty message on the first channel that it reads, the client sees that all is set
        // up.
        let mut readable = [Channel::Stdout, Channel::Stderr, Channel::Error].into_iter();
        if let Some(channel) = readable.find(|channel| channel.is_wanted(wanted)) {
            channels.put(channel, &[]);
        }
        channels
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

    pub(super) fn send(&mut self, channel: Channel, bytes: &[u8]) {
        // An empty message means nothing to clients, but the first.
        if channel.is_wanted(self.wanted) {
            for bytes in bytes.chunks(LARGEST) {
                self.put(channel, bytes);
            }
        }
    }

    pub(super) fn finish(&mut self, status: &Status) {
        let told = status.told(self.version);
        self.send(Channel::Error, told.as_bytes());
        self.connection.close(1000, "");
    }

    pub(super) fn refuse(&mut self, violation: &Violation) {
        self.connection
            .close(violation.code(), &violation.to_string());
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        self.connection.output()
    }

    fn put(&mut self, channel: Channel, bytes: &[u8]) {
        let (first, rest) = write_channel(self.encoding, channel as u8, bytes);
        self.connection
            .send(self.encoding == Encoding::Base64, &[&[first], &rest]);
    }

    /// A part of a message. What names no channel that the client may write to is for nobody.
    fn message(&mut self, number: u8, bytes: Vec<u8>) {
        if number == CLOSE && self.version >= Version::V5 {
            let ended = bytes.first().and_then(|number| Channel::numbered(*number));
            if let Some(channel @ (Channel::Stdin | Channel::Resize)) = ended {
                self.incoming.push_back(Incoming::End(channel));
            }
            return;
        }
        let channel = Channel::numbered(number);
        if let Some(channel @ (Channel::Stdin | Channel::Resize)) = channel
            && channel.is_wanted(self.wanted)
            && !bytes.is_empty()
        {
            self.incoming.push_back(Incoming::Data(channel, bytes));
        }
    }
}
