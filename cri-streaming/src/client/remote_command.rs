//! A client of exec and attach.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::handshake::{ClientError, PATIENCE, Trust, Upgraded, step, upgrade};
use crate::http::Framing;
use crate::link::{Heed, Link};
use crate::spdy::{self, Headers, Limits, ResetReason};
use crate::websocket::{self, ChannelReader, Encoding, write_channel};

/// The names of streams, by the numbers of their channels.
const NAMES: [&str; 5] = ["stdin", "stdout", "stderr", "error", "resize"];

/// What a client has got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was written to standard output.
    pub stdout: Vec<u8>,
    /// What was written to standard error.
    pub stderr: Vec<u8>,
    /// How it ended: a `Status` in JSON, or a text.
    pub status: String,
    /// The connection ended as the protocol has it, not in the middle of something.
    pub orderly: bool,
}

enum Wire {
    Spdy {
        connection: Box<spdy::Connection>,
        streams: BTreeMap<u8, spdy::StreamId>,
    },
    WebSocket {
        connection: websocket::Connection,
        reader: ChannelReader,
        encoding: Encoding,
    },
}

/// A session of exec or attach.
pub struct RemoteCommand {
    link: Link<'static>,
    wire: Wire,
    /// The protocol that the server chose.
    pub protocol: String,
    received: BTreeMap<u8, Vec<u8>>,
    over: bool,
}

impl RemoteCommand {
    /// Connects to a URL with one of these protocols, and opens the streams with these names: of
    /// `stdin`, `stdout`, `stderr`, `resize`. That of errors is opened first, as `kubectl` does.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open(
        url: &str,
        framing: Framing,
        protocols: &[&str],
        streams: &[&str],
        trust: Trust<'_>,
    ) -> Result<Self, ClientError> {
        let Upgraded { link, protocol } = upgrade(url, framing, protocols, trust)?;
        let wire = match framing {
            Framing::Spdy => {
                let limits = Limits { streams: 1 << 20 };
                let connection = Box::new(spdy::Connection::new(spdy::Role::Client, limits));
                Wire::Spdy {
                    connection,
                    streams: BTreeMap::new(),
                }
            }
            Framing::WebSocket => {
                let base64 = protocol.contains("base64");
                let encoding = if base64 {
                    Encoding::Base64
                } else {
                    Encoding::Binary
                };
                let connection = websocket::Connection::new(websocket::Role::Client);
                Wire::WebSocket {
                    connection,
                    reader: ChannelReader::new(encoding),
                    encoding,
                }
            }
        };
        let received = BTreeMap::new();
        let mut session = Self {
            link,
            wire,
            protocol,
            received,
            over: false,
        };
        for name in ["error"].iter().chain(streams) {
            session.open_stream(name);
        }
        session.flush()?;
        Ok(session)
    }

    /// Opens a further stream, whatever its name. Over WebSocket, all are open.
    pub fn open_stream(&mut self, name: &str) {
        if let Wire::Spdy {
            connection,
            streams,
        } = &mut self.wire
        {
            let stream = connection.open(&Headers::new(&[("streamType", name)]));
            let number = NAMES.iter().position(|known| *known == name).unwrap_or(9);
            if let (Some(stream), Ok(number)) = (stream, u8::try_from(number)) {
                streams.entry(number).or_insert(stream);
            }
        }
    }

    /// Sends bytes to standard input.
    ///
    /// # Errors
    /// The connection is over.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for bytes in bytes.chunks(32 << 10) {
            self.send(0, bytes);
            self.flush()?;
            while self.link.is_congested() {
                self.take_some(Instant::now() + PATIENCE)?;
            }
        }
        Ok(())
    }

    /// Sends bytes to standard input as long as the other side takes them, without reading what
    /// comes back: how many were taken, until for a second none were.
    ///
    /// # Errors
    /// The connection is over.
    pub fn write_without_waiting(&mut self, most: usize) -> io::Result<usize> {
        let mut sent = 0;
        while sent < most {
            while self.link.is_congested() {
                let until = Instant::now() + Duration::from_secs(1);
                self.link.wait(Heed::Break, &[], Some(until))?;
                if Instant::now() >= until {
                    return Ok(sent);
                }
                self.link.flush()?;
            }
            self.send(0, &[7; 32 << 10]);
            self.flush()?;
            sent += 32 << 10;
        }
        Ok(sent)
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// The connection is over.
    pub fn ping(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Spdy { connection, .. } => connection.ping(1),
            Wire::WebSocket { connection, .. } => connection.ping(),
        }
        self.flush()
    }

    /// Gives the terminal a size.
    ///
    /// # Errors
    /// The connection is over.
    pub fn resize(&mut self, columns: u16, rows: u16) -> io::Result<()> {
        self.resize_to(&format!("{{\"Width\":{columns},\"Height\":{rows}}}"))
    }

    /// Gives the terminal whatever this text says.
    ///
    /// # Errors
    /// The connection is over.
    pub fn resize_to(&mut self, text: &str) -> io::Result<()> {
        self.send(4, text.as_bytes());
        self.flush()
    }

    /// Ends standard input.
    ///
    /// # Errors
    /// The connection is over.
    pub fn end_stdin(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Spdy {
                connection,
                streams,
            } => {
                if let Some(stream) = streams.get(&0) {
                    connection.end(*stream);
                }
            }
            Wire::WebSocket { connection, .. } => connection.send(false, &[&[255, 0]]),
        }
        self.flush()
    }

    /// Ends a stream of SPDY both ways.
    ///
    /// # Errors
    /// The connection is over.
    pub fn reset(&mut self, number: u8) -> io::Result<()> {
        if let Wire::Spdy {
            connection,
            streams,
        } = &mut self.wire
            && let Some(stream) = streams.get(&number)
        {
            connection.reset(*stream, ResetReason::Cancel);
        }
        self.flush()
    }

    /// Reads until standard output has this text in it.
    ///
    /// # Errors
    /// The connection ended before.
    pub fn read_until(&mut self, text: &str) -> io::Result<()> {
        self.read_channel_until(1, text)
    }

    /// Reads until standard error has this text in it.
    ///
    /// # Errors
    /// The connection ended before.
    pub fn read_errors_until(&mut self, text: &str) -> io::Result<()> {
        self.read_channel_until(2, text)
    }

    fn read_channel_until(&mut self, number: u8, text: &str) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let received = self.received.get(&number).map_or(&[][..], Vec::as_slice);
            if String::from_utf8_lossy(received).contains(text) {
                return Ok(());
            }
            if self.over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.take_some(until)?;
        }
    }

    /// What has come on standard output so far.
    #[must_use]
    pub fn stdout(&self) -> &[u8] {
        self.received.get(&1).map_or(&[], Vec::as_slice)
    }

    /// Reads until the end, and keeps nothing of standard output but how much it was.
    ///
    /// # Errors
    /// The connection ended in the middle of something.
    pub fn count(mut self) -> io::Result<u64> {
        let mut count = 0;
        while !self.over {
            self.take_some(Instant::now() + PATIENCE)?;
            count += self
                .received
                .remove(&1)
                .map_or(0, |bytes| bytes.len() as u64);
        }
        Ok(count)
    }

    /// Reads until the end.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        let until = Instant::now() + PATIENCE;
        while !self.over && self.take_some(until).is_ok() {}
        let mut take = |number| self.received.remove(&number).unwrap_or_default();
        let (stdout, stderr) = (take(1), take(2));
        let status = String::from_utf8_lossy(&take(3)).into_owned();
        Outcome {
            stdout,
            stderr,
            status,
            orderly: self.over,
        }
    }

    fn send(&mut self, number: u8, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Spdy {
                connection,
                streams,
            } => {
                if let Some(stream) = streams.get(&number) {
                    connection.send(*stream, bytes);
                }
            }
            Wire::WebSocket {
                connection,
                encoding,
                ..
            } => {
                let (first, rest) = write_channel(*encoding, number, bytes);
                connection.send(*encoding == Encoding::Base64, &[&[first], &rest]);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.wire {
            Wire::Spdy { connection, .. } => self.link.queue(connection.output()),
            Wire::WebSocket { connection, .. } => self.link.queue(connection.output()),
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
        let result = match self.link.incoming().is_empty() {
            true => step(&mut self.link, until),
            false => Ok(()),
        };
        let bytes = std::mem::take(self.link.incoming());
        let broken = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        match &mut self.wire {
            Wire::Spdy {
                connection,
                streams,
            } => {
                connection.receive(&bytes).map_err(|error| broken(&error))?;
                while let Some(event) = connection.event() {
                    match event {
                        spdy::Event::Data(stream, mut data) => {
                            let number = streams.iter().find(|(_, known)| **known == stream);
                            if let Some((number, _)) = number {
                                self.received.entry(*number).or_default().append(&mut data);
                            }
                        }
                        spdy::Event::GoAway => self.over = true,
                        _ => {}
                    }
                }
            }
            Wire::WebSocket {
                connection, reader, ..
            } => {
                connection.receive(&bytes).map_err(|error| broken(&error))?;
                while let Some(event) = connection.event() {
                    match event {
                        websocket::Event::Part { first, last, bytes } => {
                            let read = reader.read(first, last, bytes);
                            if let Some((number, mut data)) =
                                read.map_err(|error| broken(&error))?
                            {
                                self.received.entry(number).or_default().append(&mut data);
                            }
                        }
                        websocket::Event::Closed(code) => self.over = code == Some(1000),
                    }
                }
            }
        }
        if self.over { Ok(()) } else { result }
    }
}
