//! Channels over SPDY: a stream for each, which the client begins with the header `streamType`.

use std::collections::BTreeMap;

use super::channel::{Channel, Incoming};
use super::status::Status;
use super::version::Version;
use crate::process::Wanted;
use crate::spdy::{Connection, Event, Limits, ResetReason, Role, StreamId, Violation};

/// A client has at most five.
const LIMITS: Limits = Limits { streams: 8 };

pub(crate) struct SpdyChannels {
    connection: Connection,
    version: Version,
    wanted: Wanted,
    streams: BTreeMap<Channel, StreamId>,
}

impl SpdyChannels {
    pub(super) fn new(version: Version, wanted: Wanted) -> Self {
        let connection = Connection::new(Role::Server, LIMITS);
        Self {
            connection,
            version,
            wanted,
            streams: BTreeMap::new(),
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.connection.receive(bytes)
    }

    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        loop {
            match self.connection.event()? {
                Event::Opened { stream, headers } => {
                    let name = headers.get("streamType").unwrap_or_default();
                    self.opened(stream, Channel::named(name));
                }
                Event::Data(stream, bytes) => {
                    if let Some(channel) = self.channel(stream) {
                        return Some(Incoming::Data(channel, bytes));
                    }
                }
                Event::Ended(stream) => {
                    if let Some(channel) = self.channel(stream) {
                        return Some(Incoming::End(channel));
                    }
                }
                // Who ends a stream of output alone doesn't read it. It is sent nowhere from now
                // on.
                Event::Reset(stream) => {
                    if let Some(channel @ (Channel::Stdin | Channel::Resize)) = self.channel(stream)
                    {
                        return Some(Incoming::End(channel));
                    }
                }
                Event::GoAway => return Some(Incoming::Gone),
                Event::Replied(_) | Event::Pong(_) => {}
            }
        }
    }

    pub(super) fn are_ready(&self) -> bool {
        let mut all = Channel::ALL
            .into_iter()
            .filter(|channel| channel.is_wanted(self.wanted));
        all.all(|channel| {
            let never = channel == Channel::Resize && !self.version.has_resize();
            never || self.streams.contains_key(&channel)
        })
    }

    pub(super) fn send(&mut self, channel: Channel, bytes: &[u8]) {
        if let Some(stream) = self.streams.get(&channel) {
            self.connection.send(*stream, bytes);
        }
    }

    pub(super) fn end(&mut self, channel: Channel) {
        if let Some(stream) = self.streams.get(&channel) {
            self.connection.end(*stream);
        }
    }

    pub(super) fn finish(&mut self, status: &Status) {
        let told = status.told(self.version);
        self.send(Channel::Error, told.as_bytes());
        for channel in [Channel::Stdout, Channel::Stderr, Channel::Error] {
            self.end(channel);
        }
        for channel in [Channel::Stdin, Channel::Resize] {
            if let Some(stream) = self.streams.get(&channel) {
                self.connection.reset(*stream, ResetReason::Cancel);
            }
        }
        self.connection.go_away(false);
    }

    pub(super) fn refuse(&mut self) {
        self.connection.go_away(true);
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        self.connection.output()
    }

    fn opened(&mut self, stream: StreamId, channel: Option<Channel>) {
        match channel {
            Some(channel)
                if channel.is_wanted(self.wanted) && !self.streams.contains_key(&channel) =>
            {
                self.streams.insert(channel, stream);
                self.connection.reply(stream);
            }
            Some(_) => self.connection.reset(stream, ResetReason::Refused),
            None => self.connection.reset(stream, ResetReason::ProtocolError),
        }
    }

    fn channel(&self, stream: StreamId) -> Option<Channel> {
        let mut streams = self.streams.iter();
        streams
            .find(|(_, known)| **known == stream)
            .map(|(channel, _)| *channel)
    }
}
