//! Many byte streams and control messages over one connection, as a pure state machine: bytes in, bytes out.
//!
//! The monitor opens streams; each carries data in one direction or in both. A side says when it will send no more, or
//! when it takes no more; where it never sends, it says so when it has taken all. So both know when a stream is over.
//!
//! A side sends no more on a stream than the other has said that it takes, so both read the connection at all times, and
//! a stream whose reader is stuck holds up neither messages nor other streams. Messages go ahead of data, but for those
//! that tell of the end of what has written them.
//!
//! What the other side may make this one hold is bounded ([`Limits`]). What it says against the rules ends the
//! connection.

mod error;
mod limits;
mod receive;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use self::limits::DATA_WAITING_MAX;
use super::frames::{Frame, Nonce, PAYLOAD_MAX, Parser, write_data, write_message};
use super::greeting::Greeting;
use super::stream::{StreamId, StreamIds, StreamKind};
use super::window::{Incoming, Outgoing};

pub use self::error::MultiplexError;
pub use self::limits::Limits;

/// Which side of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opens streams.
    Monitor,
    /// The other one.
    PodInit,
}

#[derive(Debug)]
struct Stream {
    kind: StreamKind,
    outgoing: Outgoing,
    incoming: Incoming,
    /// When it sent data last, counted in frames of data.
    sent_at: u64,
    /// Whether somebody here knows of it. One that ends before a message has named it stays until then.
    is_claimed: bool,
}

impl Stream {
    fn new(kind: StreamKind, side: Side, window: usize) -> Self {
        let (sends, receives) = match (kind, side) {
            (StreamKind::Terminal, _) => (true, true),
            (StreamKind::ToPod, Side::Monitor) | (StreamKind::FromPod, Side::PodInit) => {
                (true, false)
            }
            (StreamKind::ToPod, Side::PodInit) | (StreamKind::FromPod, Side::Monitor) => {
                (false, true)
            }
        };
        Self {
            kind,
            outgoing: match sends {
                true => Outgoing::Open { credit: window },
                false => Outgoing::Silent,
            },
            incoming: Incoming::new(match receives {
                true => window,
                false => 0,
            }),
            sent_at: 0,
            is_claimed: side == Side::Monitor,
        }
    }

    fn is_over(&self) -> bool {
        self.outgoing == Outgoing::Finished && self.incoming.is_over()
    }
}

/// One side of a connection.
#[derive(Debug)]
pub struct Multiplexer {
    side: Side,
    limits: Limits,
    /// Until the connection has begun.
    greeting: Option<Greeting>,
    parser: Parser,
    ids: StreamIds,
    /// The stream that was opened last.
    newest: u32,
    streams: BTreeMap<StreamId, Stream>,
    /// Streams of which so much was taken that the other side is to be told.
    owes_credit: BTreeSet<StreamId>,
    /// How many frames of data have been sent.
    frames: u64,
    /// The message that is being received.
    partial: Vec<u8>,
    received: VecDeque<Vec<u8>>,
    received_bytes: usize,
    /// What goes out, and how much of it has.
    sending: Vec<u8>,
    sent: usize,
    /// Whole frames that go out next: hellos before the connection has begun, then all but data.
    urgent: Vec<u8>,
    /// Whole frames that go out after those: data and its ends.
    data: Vec<u8>,
    /// How many streams are over, but for their ends among those: the other side still counts them.
    ending: usize,
    /// Whether this side has said all that it will ever say.
    has_ended: bool,
    /// Whether the other side has.
    other_has_ended: bool,
}

impl Multiplexer {
    /// Begins a connection. `nonce` must not have been used before.
    pub fn new(side: Side, limits: Limits, nonce: Nonce) -> Self {
        let (greeting, hello) = Greeting::new(nonce);
        let mut sending = Vec::new();
        Frame::Hello(hello).write(&mut sending);
        Self {
            side,
            limits,
            greeting: Some(greeting),
            parser: Parser::default(),
            ids: StreamIds::default(),
            newest: 0,
            streams: BTreeMap::new(),
            owes_credit: BTreeSet::new(),
            frames: 0,
            partial: Vec::new(),
            received: VecDeque::new(),
            received_bytes: 0,
            sending,
            sent: 0,
            urgent: Vec::new(),
            data: Vec::new(),
            ending: 0,
            has_ended: false,
            other_has_ended: false,
        }
    }

    /// Which side this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Whether the other side has answered.
    pub fn has_begun(&self) -> bool {
        self.greeting.is_none()
    }

    fn add(&mut self, id: StreamId, kind: StreamKind) {
        self.newest = id.number();
        let stream = Stream::new(kind, self.side, self.limits.window);
        self.streams.insert(id, stream);
    }

    /// Looks whether a stream is over, after each change.
    fn settle(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let silent = stream.is_claimed && stream.outgoing == Outgoing::Silent;
        if silent && stream.incoming.is_over() {
            self.say_finished(id);
        } else if stream.is_over() {
            self.streams.remove(&id);
            // Its end may be among what waits.
            if !self.data.is_empty() {
                self.ending += 1;
            }
        }
    }

    /// Nothing more will be said: for the end of a pod, when all has been. The other side answers by ending too.
    pub fn end(&mut self) {
        if !self.has_ended {
            Frame::End.write(&mut self.data);
            self.has_ended = true;
        }
    }

    /// Whether the other side says nothing more. It has then read all that this side had said before its own end.
    pub fn other_has_ended(&self) -> bool {
        self.other_has_ended
    }

    /// The other side is gone, or has ended: what came can still be taken, and nothing more goes out.
    pub fn cut_off(&mut self) {
        self.other_has_ended = true;
        for stream in self.streams.values_mut() {
            stream.incoming.cut_off();
            if let Outgoing::Open { .. } = stream.outgoing {
                stream.outgoing = Outgoing::Stopped;
            }
        }
    }

    /// The next control message that came.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        let message = self.received.pop_front()?;
        self.received_bytes -= message.len();
        Some(message)
    }

    /// Whether there is room for what comes. If not, messages have to be read first.
    pub fn wants_input(&self) -> bool {
        self.received_bytes + self.received.len() * size_of::<Vec<u8>>() < self.limits.messages
    }

    /// Sends a control message.
    ///
    /// # Errors
    /// If it is too long, or the other side has not read those before.
    pub fn send_message(&mut self, message: &[u8]) -> Result<(), MultiplexError> {
        if message.len() > self.limits.message {
            return Err(MultiplexError::MessageTooLong(self.limits.message));
        }
        if self.has_ended {
            return Ok(());
        }
        if self.urgent.len() + message.len() > self.limits.messages {
            return Err(MultiplexError::DoesNotRead);
        }
        write_message(&mut self.urgent, message);
        Ok(())
    }

    /// Sends a message behind the data that were sent before. One that takes several frames goes ahead of them: what is
    /// between its frames would tear it.
    ///
    /// # Errors
    /// As [`Self::send_message`].
    pub fn send_message_after_data(&mut self, message: &[u8]) -> Result<(), MultiplexError> {
        if message.len() > PAYLOAD_MAX || self.data.is_empty() {
            return self.send_message(message);
        }
        if self.has_ended {
            return Ok(());
        }
        if self.data.len() + message.len() > self.limits.messages {
            return Err(MultiplexError::DoesNotRead);
        }
        write_message(&mut self.data, message);
        Ok(())
    }

    /// Opens a stream. For the monitor.
    ///
    /// # Errors
    /// If there are too many.
    pub fn open(&mut self, kind: StreamKind) -> Result<StreamId, MultiplexError> {
        let full = MultiplexError::TooManyStreams(self.limits.streams);
        if self.side != Side::Monitor {
            return Err(MultiplexError::NotTheOpener(self.newest));
        }
        if self.streams.len() + self.ending >= self.limits.streams {
            return Err(full);
        }
        let id = self.ids.next_id().ok_or(full)?;
        self.add(id, kind);
        self.say_at_once(&Frame::Open { stream: id, kind });
        Ok(id)
    }

    /// The streams that are not over, those first that have waited longest to send.
    pub fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<_> = self.streams.iter().collect();
        streams.sort_by_key(|(id, stream)| (stream.sent_at, **id));
        streams.into_iter().map(|(id, _)| *id).collect()
    }

    /// How many bytes of a stream can be sent now.
    pub fn room(&self, id: StreamId) -> usize {
        if self.has_ended || self.data.len() >= DATA_WAITING_MAX {
            return 0;
        }
        let credit = self.streams.get(&id).map(|stream| stream.outgoing.credit());
        credit.unwrap_or(0).min(PAYLOAD_MAX)
    }

    /// Sends data, which is no more than there is room for.
    pub fn send(&mut self, id: StreamId, bytes: &[u8]) {
        let bytes = bytes.get(..self.room(id)).unwrap_or(bytes);
        if let Some(Stream {
            outgoing: Outgoing::Open { credit },
            sent_at,
            ..
        }) = self.streams.get_mut(&id)
            && !bytes.is_empty()
        {
            *credit -= bytes.len();
            self.frames += 1;
            *sent_at = self.frames;
            write_data(&mut self.data, id, bytes);
        }
    }

    /// No more data goes out on a stream. A terminal that pod init has closed takes none either.
    pub fn finish(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let sends = matches!(stream.outgoing, Outgoing::Open { .. } | Outgoing::Stopped);
        let closed = self.side == Side::PodInit && stream.kind == StreamKind::Terminal;
        if sends {
            self.say_finished(id);
        }
        if sends && closed {
            self.stop(id);
        }
    }

    fn say_finished(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.outgoing = Outgoing::Finished;
            if !self.has_ended {
                Frame::Finish { stream: id }.write(&mut self.data);
            }
            self.settle(id);
        }
    }

    /// Somebody knows of a stream that the other side has opened. `None` if there is none, or it was claimed before.
    pub fn claim(&mut self, id: StreamId) -> Option<StreamKind> {
        let stream = self.streams.get_mut(&id)?;
        let kind = (!std::mem::replace(&mut stream.is_claimed, true)).then_some(stream.kind);
        self.settle(id);
        kind
    }

    /// Whether a stream is open and nobody here knows of it yet.
    pub fn is_unclaimed(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        stream.is_some_and(|stream| !stream.is_claimed)
    }

    /// Which way a stream's bytes go, if it is open.
    pub fn kind(&self, id: StreamId) -> Option<StreamKind> {
        Some(self.streams.get(&id)?.kind)
    }

    /// Whether the other side takes no more of a stream that this side has not finished.
    pub fn was_stopped(&self, id: StreamId) -> bool {
        let outgoing = self.streams.get(&id).map(|stream| stream.outgoing);
        outgoing == Some(Outgoing::Stopped)
    }

    /// Whether more may go out on a stream: this side has not finished, and the other not stopped.
    pub fn may_send(&self, id: StreamId) -> bool {
        let outgoing = self.streams.get(&id).map(|stream| stream.outgoing);
        matches!(outgoing, Some(Outgoing::Open { .. }))
    }

    /// What came on a stream and was not taken yet, or the front of it.
    pub fn held(&self, id: StreamId) -> &[u8] {
        let stream = self.streams.get(&id);
        stream.map_or(&[], |stream| stream.incoming.held())
    }

    /// Takes bytes from the front of what came.
    pub fn take(&mut self, id: StreamId, count: usize) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.incoming.take(count);
            if stream.incoming.owes_credit(self.limits.window) {
                self.owes_credit.insert(id);
            }
            self.settle(id);
        }
    }

    /// Tells the other side what it may send. Only when it goes out at once: one that doesn't read gets no more.
    fn grant(&mut self) {
        for id in std::mem::take(&mut self.owes_credit) {
            let stream = self.streams.get_mut(&id);
            let credit = stream.map_or(0, |stream| stream.incoming.grant());
            let credit = u32::try_from(credit).ok().and_then(NonZeroU32::new);
            if let Some(bytes) = credit {
                self.say_at_once(&Frame::Credit { stream: id, bytes });
            }
        }
    }

    /// Nothing more is wanted of what comes on a stream.
    pub fn stop(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            if stream.incoming.stop() {
                self.say_at_once(&Frame::Stop { stream: id });
            }
            self.settle(id);
        }
    }

    /// Whether all that came on a stream was taken, and no more comes.
    pub fn is_over(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        stream.is_none_or(|stream| stream.incoming.is_over())
    }

    /// Ahead of data.
    fn say_at_once(&mut self, frame: &Frame) {
        if !self.has_ended {
            frame.write(&mut self.urgent);
        }
    }

    /// What goes out over the connection next.
    pub fn to_send(&mut self) -> &[u8] {
        if self.sent >= self.sending.len() {
            self.sent = 0;
            if self.has_begun() {
                self.grant();
            }
            self.sending = match (self.has_begun(), self.urgent.is_empty()) {
                (false, _) => Vec::new(),
                (true, false) => std::mem::take(&mut self.urgent),
                (true, true) => {
                    self.ending = 0;
                    std::mem::take(&mut self.data)
                }
            };
        }
        self.sending.get(self.sent..).unwrap_or_default()
    }

    /// That many bytes of [`Self::to_send`] have gone out.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Whether something is to be sent.
    pub fn has_to_send(&self) -> bool {
        let waits =
            !(self.urgent.is_empty() && self.data.is_empty() && self.owes_credit.is_empty());
        self.sent < self.sending.len() || (self.has_begun() && waits)
    }

    /// How many bytes it holds, of all kinds.
    pub fn bytes_held(&self) -> usize {
        let streams = self.streams.values().map(|s| s.incoming.bytes_held());
        let outgoing = self.sending.len() + self.urgent.len() + self.data.len();
        let messages = self.partial.len() + self.received_bytes;
        streams.sum::<usize>() + outgoing + messages + self.parser.held()
    }
}

#[cfg(test)]
mod tests;
