//! Pairs over any framing.

use std::time::Instant;

use super::channel_pairs::ChannelPairs;
use super::pair::{Ending, Incoming, Pair};
use super::spdy_pairs::SpdyPairs;
use super::tunnel::Tunnel;
use crate::http::{Framing, Refusal, Upgrade};
use crate::violation::Violation;
use crate::websocket::Encoding;

/// The pairs of a client: bytes go in and what it did comes out, and the other way round.
pub(crate) enum Pairs {
    Spdy(Box<SpdyPairs>),
    Tunnel(Box<Tunnel>),
    Channels(Box<ChannelPairs>),
}

impl Pairs {
    /// As the client and the server have agreed. The ports count for channels alone.
    pub(crate) fn new(upgrade: &Upgrade, ports: &[u16]) -> Result<Self, Refusal> {
        let encoding = match (upgrade.framing, upgrade.protocol) {
            (Framing::Spdy, _) => return Ok(Self::Spdy(Box::new(SpdyPairs::new()))),
            (_, protocol) if protocol.ends_with("portforward.k8s.io") => {
                return Ok(Self::Tunnel(Box::new(Tunnel::new())));
            }
            (_, protocol) if protocol.contains("base64") => Encoding::Base64,
            _ => Encoding::Binary,
        };
        if !ChannelPairs::can_have(encoding, ports.len()) {
            let text = format!(
                "{} ports cannot be served by channels of WebSocket",
                ports.len()
            );
            return Err(Refusal::new(400, text));
        }
        Ok(Self::Channels(Box::new(ChannelPairs::new(encoding, ports))))
    }

    /// Takes bytes of the client.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Violation> {
        match self {
            Self::Spdy(pairs) => pairs.receive(bytes, now).map_err(Violation::from),
            Self::Tunnel(tunnel) => tunnel.receive(bytes, now),
            Self::Channels(pairs) => pairs.receive(bytes),
        }
    }

    /// What the client did next.
    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        match self {
            Self::Spdy(pairs) => pairs.incoming(),
            Self::Tunnel(tunnel) => tunnel.incoming(),
            Self::Channels(pairs) => pairs.incoming(),
        }
    }

    /// Ends what has waited for its other half since this time, and says since when the next waits.
    pub(super) fn expire(&mut self, until: Instant) -> Option<Instant> {
        self.spdy().and_then(|pairs| pairs.expire(until))
    }

    /// Sends bytes of the port.
    pub(super) fn send(&mut self, pair: Pair, bytes: &[u8]) {
        match self {
            Self::Spdy(pairs) => pairs.send(pair, bytes),
            Self::Tunnel(tunnel) => tunnel.pairs.send(pair, bytes),
            Self::Channels(pairs) => pairs.send(pair, bytes),
        }
    }

    /// Says that nothing more comes from the port. Channels have no way to say so.
    pub(super) fn end(&mut self, pair: Pair) {
        if let Some(pairs) = self.spdy() {
            pairs.end(pair);
        }
    }

    /// Ends a pair, and says how.
    pub(super) fn finish(&mut self, pair: Pair, ending: Ending<'_>) {
        match self {
            Self::Spdy(pairs) => pairs.finish(pair, ending),
            Self::Tunnel(tunnel) => tunnel.pairs.finish(pair, ending),
            Self::Channels(pairs) => pairs.finish(pair, ending),
        }
    }

    /// Whether there will be no more pairs.
    pub(super) fn are_over(&self) -> bool {
        matches!(self, Self::Channels(pairs) if pairs.is_over())
    }

    /// Leaves since the client broke the protocol.
    pub(super) fn refuse(&mut self, violation: &Violation) {
        match self {
            Self::Spdy(pairs) => pairs.leave(true),
            Self::Tunnel(tunnel) => tunnel.refuse(violation),
            Self::Channels(pairs) => pairs.refuse(violation),
        }
    }

    /// What has to be sent to the client.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Spdy(pairs) => pairs.output(),
            Self::Tunnel(tunnel) => tunnel.output(),
            Self::Channels(pairs) => pairs.output(),
        }
    }

    fn spdy(&mut self) -> Option<&mut SpdyPairs> {
        match self {
            Self::Spdy(pairs) => Some(pairs),
            Self::Tunnel(tunnel) => Some(&mut tunnel.pairs),
            Self::Channels(_) => None,
        }
    }
}
