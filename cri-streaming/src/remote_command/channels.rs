//! Channels over either framing.

use super::channel::{Channel, Incoming};
use super::spdy_channels::SpdyChannels;
use super::status::Status;
use super::version::Version;
use super::websocket_channels::WebSocketChannels;
use crate::http::{Framing, Upgrade};
use crate::process::Wanted;
use crate::violation::Violation;

/// The channels of a client: bytes go in and what it did comes out, and the other way round.
pub(crate) enum Channels {
    Spdy(Box<SpdyChannels>),
    WebSocket(WebSocketChannels),
}

impl Channels {
    /// As the client and the server have agreed.
    pub(crate) fn new(upgrade: &Upgrade, wanted: Wanted) -> Self {
        let (version, encoding) = Version::of(upgrade.protocol);
        match upgrade.framing {
            Framing::Spdy => Self::Spdy(Box::new(SpdyChannels::new(version, wanted))),
            Framing::WebSocket => {
                Self::WebSocket(WebSocketChannels::new(version, encoding, wanted))
            }
        }
    }

    /// Takes bytes of the client.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        match self {
            Self::Spdy(channels) => channels.receive(bytes).map_err(Violation::from),
            Self::WebSocket(channels) => channels.receive(bytes),
        }
    }

    /// What the client did next.
    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        match self {
            Self::Spdy(channels) => channels.incoming(),
            Self::WebSocket(channels) => channels.incoming(),
        }
    }

    /// Whether all channels that were asked for are there.
    pub(super) fn are_ready(&self) -> bool {
        match self {
            Self::Spdy(channels) => channels.are_ready(),
            Self::WebSocket(_) => true,
        }
    }

    /// Sends bytes of the command.
    pub(super) fn send(&mut self, channel: Channel, bytes: &[u8]) {
        match self {
            Self::Spdy(channels) => channels.send(channel, bytes),
            Self::WebSocket(channels) => channels.send(channel, bytes),
        }
    }

    /// Says that nothing more comes from the command there.
    pub(super) fn end(&mut self, channel: Channel) {
        match self {
            Self::Spdy(channels) => channels.end(channel),
            // The end of a channel of WebSocket is the end of its connection.
            Self::WebSocket(_) => {}
        }
    }

    /// Says how it ended, and leaves.
    pub(super) fn finish(&mut self, status: &Status) {
        match self {
            Self::Spdy(channels) => channels.finish(status),
            Self::WebSocket(channels) => channels.finish(status),
        }
    }

    /// Leaves since the client broke the protocol.
    pub(super) fn refuse(&mut self, violation: &Violation) {
        match self {
            Self::Spdy(channels) => channels.refuse(),
            Self::WebSocket(channels) => channels.refuse(violation),
        }
    }

    /// What has to be sent to the client.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Spdy(channels) => channels.output(),
            Self::WebSocket(channels) => channels.output(),
        }
    }
}
