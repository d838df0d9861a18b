//! Pairs over SPDY: two streams with the same header `requestID`, of the types `data` and `error`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::pair::{Ending, Incoming, Pair};
use crate::spdy::{Connection, Event, Headers, Limits, ResetReason, Role, StreamId, Violation};

/// Streams of a client at once: two for each connection.
const LIMITS: Limits = Limits { streams: 512 };
/// The longest `requestID`.
const LONGEST_ID: usize = 64;
/// The most bytes that a client may send for a port before the pair is whole.
const MOST_EARLY: usize = 4 << 10;

/// A stream of a pair whose other stream hasn't come.
struct Half {
    stream: StreamId,
    kind: Kind,
    since: Instant,
    /// What came for the port already, and that nothing follows.
    early: Vec<u8>,
    ended: bool,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data(u16),
    Error,
}

/// The streams of a client, paired.
pub(crate) struct SpdyPairs {
    connection: Connection,
    halves: BTreeMap<String, Half>,
    /// The streams of errors, by those of data, whose numbers are those of the pairs.
    pairs: BTreeMap<Pair, StreamId>,
    incoming: VecDeque<Incoming>,
}

impl SpdyPairs {
    pub(super) fn new() -> Self {
        Self {
            connection: Connection::new(Role::Server, LIMITS),
            halves: BTreeMap::new(),
            pairs: BTreeMap::new(),
            incoming: VecDeque::new(),
        }
    }

    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Violation> {
        self.connection.receive(bytes)?;
        while let Some(event) = self.connection.event() {
            self.take(event, now);
        }
        Ok(())
    }

    pub(super) fn incoming(&mut self) -> Option<Incoming> {
        self.incoming.pop_front()
    }

    /// Ends the halves that have waited since this time, and says since when the next one waits.
    pub(super) fn expire(&mut self, until: Instant) -> Option<Instant> {
        let old = self.halves.extract_if(.., |_, half| half.since <= until);
        for (_, half) in old.collect::<Vec<_>>() {
            if half.kind == Kind::Error {
                self.connection
                    .send(half.stream, b"timed out waiting for the stream of data");
                self.connection.end(half.stream);
            }
            self.connection.reset(half.stream, ResetReason::Cancel);
        }
        self.halves.values().map(|half| half.since).min()
    }

    pub(super) fn send(&mut self, pair: Pair, bytes: &[u8]) {
        self.connection.send(pair, bytes);
    }

    /// Says that nothing more comes from the port.
    pub(super) fn end(&mut self, pair: Pair) {
        self.connection.end(pair);
    }

    /// Ends a pair, and says how: the stream of data has an end only if all of it came.
    pub(super) fn finish(&mut self, pair: Pair, ending: Ending<'_>) {
        if let Some(stream) = self.pairs.remove(&pair) {
            if let Ending::Failed(text) = ending {
                self.connection.send(stream, text.as_bytes());
            }
            self.connection.end(stream);
            if ending == Ending::Done {
                self.connection.end(pair);
            }
            // What the client may still want to send is for nobody.
            self.connection.reset(pair, ResetReason::Cancel);
            self.connection.reset(stream, ResetReason::Cancel);
        }
    }

    pub(super) fn leave(&mut self, violation: bool) {
        self.connection.go_away(violation);
    }

    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        self.connection.output()
    }

    fn take(&mut self, event: Event, now: Instant) {
        match event {
            Event::Opened { stream, headers } => match describe(stream, &headers) {
                Some((id, kind)) => self.opened(stream, id, kind, now),
                None => self.connection.reset(stream, ResetReason::ProtocolError),
            },
            Event::Data(stream, bytes) if self.pairs.contains_key(&stream) => {
                self.incoming.push_back(Incoming::Data(stream, bytes));
            }
            Event::Ended(stream) if self.pairs.contains_key(&stream) => {
                self.incoming.push_back(Incoming::End(stream));
            }
            Event::Reset(stream) if self.pairs.contains_key(&stream) => {
                self.incoming.push_back(Incoming::Reset(stream));
            }
            Event::Data(stream, bytes) => self.early(stream, &bytes),
            Event::Ended(stream) => {
                if let Some(half) = self.half(stream) {
                    half.ended = true;
                }
            }
            Event::Reset(stream) => self.halves.retain(|_, half| half.stream != stream),
            Event::GoAway => self.incoming.push_back(Incoming::Gone),
            Event::Replied(_) | Event::Pong(_) => {}
        }
    }

    fn opened(&mut self, stream: StreamId, id: String, kind: Kind, now: Instant) {
        let new = Half {
            stream,
            kind,
            since: now,
            early: Vec::new(),
            ended: false,
        };
        let Some(old) = self.halves.remove(&id) else {
            self.connection.reply(stream);
            self.halves.insert(id, new);
            return;
        };
        let (data, error, port) = match (old.kind, kind) {
            (Kind::Data(port), Kind::Error) => (old, new, port),
            (Kind::Error, Kind::Data(port)) => (new, old, port),
            _ => {
                self.connection.reset(stream, ResetReason::Refused);
                self.halves.insert(id, old);
                return;
            }
        };
        self.connection.reply(stream);
        let pair = data.stream;
        self.pairs.insert(pair, error.stream);
        self.incoming.push_back(Incoming::Connect(pair, port));
        if !data.early.is_empty() {
            self.incoming.push_back(Incoming::Data(pair, data.early));
        }
        if data.ended {
            self.incoming.push_back(Incoming::End(pair));
        }
    }

    fn early(&mut self, stream: StreamId, bytes: &[u8]) {
        let Some(half) = self.half(stream).filter(|half| half.kind != Kind::Error) else {
            return;
        };
        half.early.extend_from_slice(bytes);
        if half.early.len() > MOST_EARLY {
            self.halves.retain(|_, half| half.stream != stream);
            self.connection.reset(stream, ResetReason::Refused);
        }
    }

    fn half(&mut self, stream: StreamId) -> Option<&mut Half> {
        self.halves.values_mut().find(|half| half.stream == stream)
    }
}

/// To which pair a stream belongs, and what it is in it.
fn describe(stream: StreamId, headers: &Headers) -> Option<(String, Kind)> {
    let port = headers.get("port")?.parse().ok().filter(|port| *port > 0)?;
    let (kind, first) = match headers.get("streamType")? {
        // Clients that don't name pairs begin each by its stream of errors (kubectl before 1.2).
        "data" => (Kind::Data(port), stream.saturating_sub(2)),
        "error" => (Kind::Error, stream),
        _ => return None,
    };
    let id = match headers.get("requestID") {
        Some(id) if id.len() > LONGEST_ID => return None,
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("stream {first}"),
    };
    Some((id, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client() -> Connection {
        Connection::new(Role::Client, Limits { streams: 1 << 20 })
    }

    fn open(client: &mut Connection, kind: &str, port: &str, id: &str) -> StreamId {
        let headers = [("streamType", kind), ("port", port), ("requestID", id)];
        let named = if id.is_empty() {
            &headers[..2]
        } else {
            &headers[..]
        };
        client.open(&Headers::new(named)).unwrap()
    }

    fn deliver(client: &mut Connection, pairs: &mut SpdyPairs, now: Instant) -> Vec<Incoming> {
        pairs
            .receive(&std::mem::take(client.output()), now)
            .unwrap();
        std::iter::from_fn(|| pairs.incoming()).collect()
    }

    fn told(pairs: &mut SpdyPairs, client: &mut Connection) -> Vec<Event> {
        client.receive(&std::mem::take(pairs.output())).unwrap();
        std::iter::from_fn(|| client.event()).collect()
    }

    #[test]
    fn streams_are_paired_by_their_id_in_any_order() {
        let (mut client, mut pairs, now) = (client(), SpdyPairs::new(), Instant::now());
        open(&mut client, "error", "80", "a");
        let b = open(&mut client, "data", "81", "b");
        client.send(b, b"early");
        client.end(b);
        assert_eq!(deliver(&mut client, &mut pairs, now), []);
        let a = open(&mut client, "data", "80", "a");
        open(&mut client, "error", "81", "b");
        client.send(a, b"hello");
        let expected = [
            Incoming::Connect(a, 80),
            Incoming::Connect(b, 81),
            Incoming::Data(b, b"early".into()),
            Incoming::End(b),
            Incoming::Data(a, b"hello".into()),
        ];
        assert_eq!(deliver(&mut client, &mut pairs, now), expected);
    }

    #[test]
    fn streams_of_clients_without_ids_are_paired_by_their_order() {
        let (mut client, mut pairs, now) = (client(), SpdyPairs::new(), Instant::now());
        for port in ["80", "81"] {
            open(&mut client, "error", port, "");
            open(&mut client, "data", port, "");
        }
        let expected = [Incoming::Connect(3, 80), Incoming::Connect(7, 81)];
        assert_eq!(deliver(&mut client, &mut pairs, now), expected);
    }

    #[test]
    fn what_makes_no_pair_is_refused_alone() {
        let (mut client, mut pairs, now) = (client(), SpdyPairs::new(), Instant::now());
        let long = "x".repeat(LONGEST_ID + 1);
        let mut refused = Vec::new();
        for (kind, port, id) in [
            ("data", "0", "a"),
            ("data", "65536", "a"),
            ("data", "", "a"),
            ("stdin", "80", "a"),
            ("data", "80", long.as_str()),
        ] {
            refused.push(Event::Reset(open(&mut client, kind, port, id)));
        }
        let first = open(&mut client, "data", "80", "b");
        refused.push(Event::Replied(first));
        refused.push(Event::Reset(open(&mut client, "data", "80", "b")));
        let error = open(&mut client, "error", "80", "b");
        refused.push(Event::Replied(error));
        assert_eq!(
            deliver(&mut client, &mut pairs, now),
            [Incoming::Connect(first, 80)]
        );
        assert_eq!(told(&mut pairs, &mut client), refused);
    }

    #[test]
    fn half_a_pair_is_waited_on_for_a_time() {
        let (mut client, mut pairs, now) = (client(), SpdyPairs::new(), Instant::now());
        let error = open(&mut client, "error", "80", "a");
        let data = open(&mut client, "data", "81", "b");
        deliver(&mut client, &mut pairs, now);
        told(&mut pairs, &mut client);
        assert_eq!(pairs.expire(now - Duration::from_secs(1)), Some(now));
        assert_eq!(pairs.expire(now), None);
        let events = told(&mut pairs, &mut client);
        let text = b"timed out waiting for the stream of data".to_vec();
        assert!(events.contains(&Event::Data(error, text)), "{events:?}");
        assert!(events.contains(&Event::Reset(data)), "{events:?}");
    }

    #[test]
    fn the_end_and_an_error_are_told_on_both_streams() {
        let (mut client, mut pairs, now) = (client(), SpdyPairs::new(), Instant::now());
        let mut pair = |id: &str, ending: Ending<'_>| {
            let errors = open(&mut client, "error", "80", id);
            let data = open(&mut client, "data", "80", id);
            deliver(&mut client, &mut pairs, now);
            told(&mut pairs, &mut client);
            pairs.finish(data, ending);
            (errors, data, told(&mut pairs, &mut client))
        };
        let (errors, data, events) = pair("a", Ending::Done);
        let ends = [Event::Ended(errors), Event::Ended(data), Event::Reset(data)];
        assert_eq!(events, [&ends[..], &[Event::Reset(errors)]].concat());
        let (errors, data, events) = pair("b", Ending::Failed("refused"));
        let text = Event::Data(errors, b"refused".into());
        let ends = [
            text,
            Event::Ended(errors),
            Event::Reset(data),
            Event::Reset(errors),
        ];
        assert_eq!(events, ends);
        let (errors, data, events) = pair("c", Ending::Broken);
        let ends = [
            Event::Ended(errors),
            Event::Reset(data),
            Event::Reset(errors),
        ];
        assert_eq!(events, ends);
        assert!(pairs.pairs.is_empty());
    }
}
