//! A connection: its streams, what comes in on them, and what goes out.

use std::collections::{BTreeMap, VecDeque};

use super::error::Violation;
use super::frame::{self, Control, Head, ResetReason, StreamId};
use super::header_block::{Deflater, Headers, Inflater};

/// Which side of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It begins streams with odd numbers.
    Client,
    /// The client begins the streams.
    Server,
}

/// What a connection holds at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Streams at once. Further ones are refused, each by itself.
    pub streams: usize,
}

/// What the other side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It begins a stream, which is to be answered by [`Connection::reply`] or
    /// [`Connection::reset`].
    Opened {
        /// Its number.
        stream: StreamId,
        /// What it is for.
        headers: Headers,
    },
    /// It accepted a stream of this side's.
    Replied(StreamId),
    /// It sent bytes on a stream.
    Data(StreamId, Vec<u8>),
    /// It sends nothing more on a stream.
    Ended(StreamId),
    /// It ended a stream, both ways.
    Reset(StreamId),
    /// It accepts no more streams, and is about to leave.
    GoAway,
    /// It answered the ping with that number.
    Pong(u32),
}

/// Which directions of a stream are open.
#[derive(Debug, Clone, Copy)]
struct Open {
    here: bool,
    there: bool,
}

/// Where in the bytes that come in this side is.
#[derive(Debug)]
enum Reading {
    Head,
    Control {
        kind: u16,
        flags: u8,
        length: usize,
    },
    Data {
        stream: StreamId,
        fin: bool,
        left: usize,
    },
}

/// A connection by SPDY/3.1, without a socket.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    limits: Limits,
    reading: Reading,
    partial: Vec<u8>,
    inflater: Inflater,
    deflater: Deflater,
    streams: BTreeMap<StreamId, Open>,
    next_here: StreamId,
    next_there: StreamId,
    events: VecDeque<Event>,
    out: Vec<u8>,
}

impl Connection {
    /// A connection on which nothing was sent yet.
    #[must_use]
    pub fn new(role: Role, limits: Limits) -> Self {
        let (next_here, next_there) = match role {
            Role::Client => (1, 2),
            Role::Server => (2, 1),
        };
        Self {
            role,
            limits,
            reading: Reading::Head,
            partial: Vec::new(),
            inflater: Inflater::new(),
            deflater: Deflater::new(),
            streams: BTreeMap::new(),
            next_here,
            next_there,
            events: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// Takes bytes that came in. What they mean is then told by [`Self::event`]; how many events
    /// that are is bounded by the number of bytes.
    ///
    /// # Errors
    /// [`Violation`]: the connection can only be left, best by [`Self::go_away`].
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() {
            bytes = match self.reading {
                Reading::Data { stream, fin, left } => self.data(stream, fin, left, bytes),
                Reading::Head => match self.gather(frame::HEAD, bytes) {
                    (rest, true) => {
                        self.head()?;
                        rest
                    }
                    (rest, false) => rest,
                },
                Reading::Control {
                    kind,
                    flags,
                    length,
                } => match self.gather(length, bytes) {
                    (rest, true) => {
                        let body = std::mem::take(&mut self.partial);
                        self.reading = Reading::Head;
                        self.control(Control::parse(kind, flags, &body)?)?;
                        rest
                    }
                    (rest, false) => rest,
                },
            };
        }
        Ok(())
    }

    /// What came in next.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What has to be sent to the other side. It is kept until it is taken from there.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Begins a stream. Its number, unless there are too many.
    pub fn open(&mut self, headers: &Headers) -> Option<StreamId> {
        if self.streams.len() >= self.limits.streams || self.next_here > 0x7fff_ffff {
            return None;
        }
        let stream = self.next_here;
        self.next_here += 2;
        self.streams.insert(
            stream,
            Open {
                here: true,
                there: true,
            },
        );
        let block = self.deflater.write(headers);
        let parts: [&[u8]; 3] = [&stream.to_be_bytes(), &[0; 6], &block];
        frame::put_control(&mut self.out, frame::SYN_STREAM, 0, &parts);
        Some(stream)
    }

    /// Accepts a stream of the other side's.
    pub fn reply(&mut self, stream: StreamId) {
        if self.streams.contains_key(&stream) {
            let block = self.deflater.write(&Headers::default());
            let parts: [&[u8]; 2] = [&stream.to_be_bytes(), &block];
            frame::put_control(&mut self.out, frame::SYN_REPLY, 0, &parts);
        }
    }

    /// Ends a stream, both ways.
    pub fn reset(&mut self, stream: StreamId, reason: ResetReason) {
        if self.streams.remove(&stream).is_some() {
            self.put_reset(stream, reason);
        }
    }

    /// Sends bytes on a stream. If it is closed in this direction, they go nowhere.
    pub fn send(&mut self, stream: StreamId, data: &[u8]) {
        if self.streams.get(&stream).is_some_and(|open| open.here) {
            for data in data.chunks(frame::LARGEST_DATA) {
                frame::put_data(&mut self.out, stream, 0, data);
            }
        }
    }

    /// Sends nothing more on a stream.
    pub fn end(&mut self, stream: StreamId) {
        let Some(open) = self.streams.get_mut(&stream).filter(|open| open.here) else {
            return;
        };
        open.here = false;
        if !open.there {
            self.streams.remove(&stream);
        }
        frame::put_data(&mut self.out, stream, frame::FLAG_FIN, &[]);
    }

    /// Asks whether the other side is there: [`Event::Pong`] with the same number, which must be of
    /// this side's kind.
    pub fn ping(&mut self, number: u32) {
        frame::put_control(&mut self.out, frame::PING, 0, &[&number.to_be_bytes()]);
    }

    /// Says that this side leaves.
    pub fn go_away(&mut self, violation: bool) {
        let last = self.next_there.saturating_sub(2);
        let parts: [&[u8]; 2] = [&last.to_be_bytes(), &u32::from(violation).to_be_bytes()];
        frame::put_control(&mut self.out, frame::GOAWAY, 0, &parts);
    }

    /// Takes bytes until `length` are together.
    fn gather<'a>(&mut self, length: usize, bytes: &'a [u8]) -> (&'a [u8], bool) {
        let missing = length.saturating_sub(self.partial.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.partial.extend_from_slice(taken);
        (rest, self.partial.len() >= length)
    }

    fn head(&mut self) -> Result<(), Violation> {
        let head = self.partial.first_chunk().copied().unwrap_or_default();
        self.partial.clear();
        match Head::parse(head)? {
            Head::Data { stream: 0, .. } => return Err(Violation::StreamZero(0)),
            Head::Data {
                stream,
                flags,
                length,
            } => {
                let fin = flags & frame::FLAG_FIN != 0;
                self.reading = Reading::Data {
                    stream,
                    fin,
                    left: length,
                };
                if length == 0 {
                    self.data(stream, fin, 0, &[]);
                }
            }
            Head::Control {
                kind,
                flags,
                length,
            } => {
                let most = frame::LARGEST_CONTROL;
                if length > most {
                    return Err(Violation::FrameSize { kind, length, most });
                }
                if length == 0 {
                    return self.control(Control::parse(kind, flags, &[])?);
                }
                self.reading = Reading::Control {
                    kind,
                    flags,
                    length,
                };
            }
        }
        Ok(())
    }

    /// Hands on what is there of a data frame, and says what remains.
    fn data<'a>(&mut self, stream: StreamId, fin: bool, left: usize, bytes: &'a [u8]) -> &'a [u8] {
        let taken = left.min(bytes.len());
        let (data, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        let left = left - data.len();
        // What comes for a stream that was reset meanwhile is nobody's.
        let open = self.streams.get(&stream).is_some_and(|open| open.there);
        if open && !data.is_empty() {
            self.events.push_back(Event::Data(stream, data.to_vec()));
        }
        if left > 0 {
            self.reading = Reading::Data { stream, fin, left };
            return rest;
        }
        self.reading = Reading::Head;
        if fin {
            self.ended_there(stream);
        }
        rest
    }

    fn ended_there(&mut self, stream: StreamId) {
        let Some(open) = self.streams.get_mut(&stream).filter(|open| open.there) else {
            return;
        };
        open.there = false;
        if !open.here {
            self.streams.remove(&stream);
        }
        self.events.push_back(Event::Ended(stream));
    }

    fn control(&mut self, control: Control<'_>) -> Result<(), Violation> {
        match control {
            Control::SynStream {
                stream,
                flags,
                block,
            } => {
                // Also for one that is refused: the next block is compressed in terms of this one.
                let headers = self.inflater.read(block)?;
                self.opened(stream, flags, headers)?;
            }
            Control::SynReply {
                stream,
                flags,
                block,
            } => {
                self.inflater.read(block)?;
                if self.streams.contains_key(&stream) && self.is_ours(stream) {
                    self.events.push_back(Event::Replied(stream));
                }
                if flags & frame::FLAG_FIN != 0 {
                    self.ended_there(stream);
                }
            }
            Control::Headers {
                stream,
                flags,
                block,
            } => {
                self.inflater.read(block)?;
                if flags & frame::FLAG_FIN != 0 {
                    self.ended_there(stream);
                }
            }
            Control::RstStream { stream, .. } => {
                if self.streams.remove(&stream).is_some() {
                    self.events.push_back(Event::Reset(stream));
                }
            }
            Control::Ping(number) if self.is_ours(number) => {
                self.events.push_back(Event::Pong(number));
            }
            Control::Ping(number) => self.ping(number),
            Control::GoAway => self.events.push_back(Event::GoAway),
            Control::Other => {}
        }
        Ok(())
    }

    fn opened(&mut self, stream: StreamId, flags: u8, headers: Headers) -> Result<(), Violation> {
        if self.is_ours(stream) || stream < self.next_there {
            return Err(Violation::StreamNumber(stream));
        }
        self.next_there = stream.saturating_add(2);
        if self.streams.len() >= self.limits.streams {
            self.put_reset(stream, ResetReason::Refused);
            return Ok(());
        }
        let here = flags & frame::FLAG_UNIDIRECTIONAL == 0;
        let there = flags & frame::FLAG_FIN == 0;
        self.streams.insert(stream, Open { here, there: true });
        self.events.push_back(Event::Opened { stream, headers });
        if !there {
            self.ended_there(stream);
        }
        Ok(())
    }

    /// Whether streams and pings with this number are begun by this side.
    fn is_ours(&self, number: u32) -> bool {
        (number % 2 == 1) == (self.role == Role::Client)
    }

    fn put_reset(&mut self, stream: StreamId, reason: ResetReason) {
        let parts: [&[u8]; 2] = [&stream.to_be_bytes(), &(reason as u32).to_be_bytes()];
        frame::put_control(&mut self.out, frame::RST_STREAM, 0, &parts);
    }
}

#[cfg(test)]
mod tests;
