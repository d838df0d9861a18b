//! A client of port-forward.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

use super::handshake::{ClientError, PATIENCE, Trust, Upgraded, step, upgrade};
use crate::http::Framing;
use crate::link::Link;
use crate::spdy::{self, Headers, Limits, ResetReason};
use crate::websocket::{self, ChannelReader, Encoding, write_channel};

/// Which connection to a port, in the order in which they were asked for.
pub type PairNumber = usize;

enum Wire {
    Spdy(Box<spdy::Connection>),
    Tunnel(websocket::Connection, Box<spdy::Connection>),
    Channels(websocket::Connection, ChannelReader, Encoding),
}

/// A stream of SPDY, or a channel.
type Stream = u32;

/// A session of port-forward.
pub struct PortForward {
    link: Link<'static>,
    wire: Wire,
    /// The protocol that the server chose.
    pub protocol: String,
    /// The streams of data and of errors.
    pairs: Vec<(Stream, Stream)>,
    received: BTreeMap<Stream, Vec<u8>>,
    ended: BTreeSet<Stream>,
    over: bool,
}

impl PortForward {
    /// Connects to a URL with one of these protocols. Over channels, all ports are connected from
    /// the beginning, and the numbers of pairs are those of the ports that were asked for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open(
        url: &str,
        framing: Framing,
        protocols: &[&str],
        trust: Trust<'_>,
    ) -> Result<Self, ClientError> {
        let Upgraded { link, protocol } = upgrade(url, framing, protocols, trust)?;
        let spdy = || {
            let limits = Limits { streams: 1 << 20 };
            Box::new(spdy::Connection::new(spdy::Role::Client, limits))
        };
        let websocket = websocket::Connection::new(websocket::Role::Client);
        let wire = match framing {
            Framing::Spdy => Wire::Spdy(spdy()),
            Framing::WebSocket if protocol.ends_with("portforward.k8s.io") => {
                Wire::Tunnel(websocket, spdy())
            }
            Framing::WebSocket => {
                let base64 = protocol.contains("base64");
                let encoding = if base64 {
                    Encoding::Base64
                } else {
                    Encoding::Binary
                };
                Wire::Channels(websocket, ChannelReader::new(encoding), encoding)
            }
        };
        let pairs = match wire {
            Wire::Channels(..) => (0..64).map(|pair| (2 * pair, 2 * pair + 1)).collect(),
            _ => Vec::new(),
        };
        let (received, ended) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self {
            link,
            wire,
            protocol,
            pairs,
            received,
            ended,
            over: false,
        })
    }

    /// Asks for a connection to a port, as `kubectl` does: first the stream of errors, of which it
    /// ends its side.
    ///
    /// # Errors
    /// The connection is over.
    pub fn connect(&mut self, port: u16) -> io::Result<PairNumber> {
        let (id, port) = (self.pairs.len().to_string(), port.to_string());
        let error = self.stream(&[("streamType", "error"), ("port", &port), ("requestID", &id)])?;
        self.end_stream(error);
        let data = self.stream(&[("streamType", "data"), ("port", &port), ("requestID", &id)])?;
        self.pairs.push((data, error));
        self.flush()?;
        Ok(self.pairs.len() - 1)
    }

    /// Opens a stream of SPDY with these headers.
    ///
    /// # Errors
    /// There are no streams, or no more.
    pub fn stream(&mut self, headers: &[(&str, &str)]) -> io::Result<u32> {
        let stream = self
            .spdy()
            .and_then(|spdy| spdy.open(&Headers::new(headers)));
        stream.ok_or_else(|| io::Error::other("no stream can be opened"))
    }

    /// Sends bytes to a port.
    ///
    /// # Errors
    /// The connection is over.
    pub fn write(&mut self, pair: PairNumber, bytes: &[u8]) -> io::Result<()> {
        let stream = self.data(pair);
        for bytes in bytes.chunks(32 << 10) {
            match &mut self.wire {
                Wire::Spdy(spdy) | Wire::Tunnel(_, spdy) => spdy.send(stream, bytes),
                Wire::Channels(websocket, _, encoding) => {
                    let channel = u8::try_from(stream).unwrap_or(u8::MAX);
                    let (first, rest) = write_channel(*encoding, channel, bytes);
                    websocket.send(*encoding == Encoding::Base64, &[&[first], &rest]);
                }
            }
            self.flush()?;
            while self.link.is_congested() {
                self.take_some(Instant::now() + PATIENCE)?;
            }
        }
        Ok(())
    }

    /// Sends nothing more to a port.
    ///
    /// # Errors
    /// The connection is over.
    pub fn end(&mut self, pair: PairNumber) -> io::Result<()> {
        self.end_stream(self.data(pair));
        self.flush()
    }

    /// Wants a connection to a port no more.
    ///
    /// # Errors
    /// The connection is over.
    pub fn reset(&mut self, pair: PairNumber) -> io::Result<()> {
        let stream = self.data(pair);
        if let Some(spdy) = self.spdy() {
            spdy.reset(stream, ResetReason::Cancel);
        }
        self.flush()
    }

    /// Reads until so many bytes have come from a port, or no more come.
    ///
    /// # Errors
    /// The connection is over.
    pub fn read(&mut self, pair: PairNumber, length: usize) -> io::Result<Vec<u8>> {
        let (stream, until) = (self.data(pair), Instant::now() + PATIENCE);
        while self.length(stream) < length && !self.ended.contains(&stream) && !self.over {
            self.take_some(until)?;
        }
        Ok(self.received.remove(&stream).unwrap_or_default())
    }

    /// Reads until a port's connection has ended, and what went wrong with it: nothing, if all went
    /// well.
    ///
    /// # Errors
    /// The connection is over.
    pub fn finish(&mut self, pair: PairNumber) -> io::Result<(Vec<u8>, String)> {
        let until = Instant::now() + PATIENCE;
        let (data, error) = self.pairs.get(pair).copied().unwrap_or_default();
        let ended = |ended: &BTreeSet<_>| ended.contains(&data) && ended.contains(&error);
        while !ended(&self.ended) && !self.over {
            self.take_some(until)?;
        }
        let mut take = |stream| self.received.remove(&stream).unwrap_or_default();
        let (data, error) = (take(data), take(error));
        Ok((data, String::from_utf8_lossy(&error).into_owned()))
    }

    fn data(&self, pair: PairNumber) -> Stream {
        self.pairs
            .get(pair)
            .map(|(data, _)| *data)
            .unwrap_or_default()
    }

    fn length(&self, stream: Stream) -> usize {
        self.received.get(&stream).map_or(0, Vec::len)
    }

    fn spdy(&mut self) -> Option<&mut spdy::Connection> {
        match &mut self.wire {
            Wire::Spdy(spdy) | Wire::Tunnel(_, spdy) => Some(spdy),
            Wire::Channels(..) => None,
        }
    }

    fn end_stream(&mut self, stream: Stream) {
        if let Some(spdy) = self.spdy() {
            spdy.end(stream);
        }
    }

    /// Sends what there is to be sent.
    ///
    /// # Errors
    /// The connection is over.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Spdy(spdy) => self.link.queue(spdy.output()),
            Wire::Tunnel(websocket, spdy) => {
                let bytes = std::mem::take(spdy.output());
                // In pieces that have nothing to do with the frames within.
                for piece in bytes.chunks(1000) {
                    websocket.send(false, &[piece]);
                }
                self.link.queue(websocket.output());
            }
            Wire::Channels(websocket, ..) => self.link.queue(websocket.output()),
        }
        self.link.flush()
    }

    fn take_some(&mut self, until: Instant) -> io::Result<()> {
        let was_congested = self.link.is_congested();
        self.flush()?;
        if was_congested && !self.link.is_congested() {
            // Who waits to send can go on.
            return Ok(());
        }
        if self.link.incoming().is_empty() {
            step(&mut self.link, until)?;
        }
        let bytes = std::mem::take(self.link.incoming());
        let broken = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        match &mut self.wire {
            Wire::Spdy(spdy) => spdy.receive(&bytes).map_err(|error| broken(&error))?,
            Wire::Tunnel(websocket, spdy) => {
                websocket.receive(&bytes).map_err(|error| broken(&error))?;
                while let Some(event) = websocket.event() {
                    match event {
                        websocket::Event::Part { bytes, .. } => {
                            spdy.receive(&bytes).map_err(|error| broken(&error))?;
                        }
                        websocket::Event::Closed(_) => self.over = true,
                    }
                }
            }
            Wire::Channels(websocket, reader, _) => {
                websocket.receive(&bytes).map_err(|error| broken(&error))?;
                while let Some(event) = websocket.event() {
                    let websocket::Event::Part { first, last, bytes } = event else {
                        self.over = true;
                        continue;
                    };
                    let read = reader
                        .read(first, last, bytes)
                        .map_err(|error| broken(&error))?;
                    if let Some((channel, mut bytes)) = read {
                        self.received
                            .entry(channel.into())
                            .or_default()
                            .append(&mut bytes);
                    }
                }
            }
        }
        while let Some(event) = self.spdy().and_then(spdy::Connection::event) {
            match event {
                spdy::Event::Data(stream, mut bytes) => {
                    self.received.entry(stream).or_default().append(&mut bytes);
                }
                spdy::Event::Ended(stream) | spdy::Event::Reset(stream) => {
                    self.ended.insert(stream);
                }
                spdy::Event::GoAway => self.over = true,
                _ => {}
            }
        }
        Ok(())
    }
}
