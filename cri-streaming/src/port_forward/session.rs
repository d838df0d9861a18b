//! Moves bytes between the pairs of a client and the ports that they are for.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use rustix::event::PollFlags;

use super::connector::{Connect, Connected, Connector, Permits};
use super::pair::{Ending, Incoming, Pair};
use super::pairs::Pairs;
use super::target::{Read, Target};
use crate::link::{Heed, Interest, Link, Ready};
use crate::times::Times;
use crate::transport::Received;
use crate::violation::Violation;

/// The most bytes that wait for all ports of a client.
const MOST_WAITING: usize = 1 << 20;
/// The most bytes that are read from a port at once.
const CHUNK: usize = 32 << 10;

/// What ends a session.
enum End {
    /// The client left, was idle for too long, or the server stops.
    Gone,
    /// All was forwarded.
    Done,
    /// The client broke the protocol.
    Violation(Violation),
}

impl From<io::Error> for End {
    /// Whatever is wrong with a connection, its client is gone.
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

struct Session<'a> {
    link: Link<'a>,
    pairs: Pairs,
    times: Times,
    connector: Connector,
    targets: BTreeMap<Pair, Target>,
    buffer: Vec<u8>,
}

/// Serves a client until it leaves, or until all its channels are over.
pub(crate) fn serve(
    link: Link<'_>,
    pairs: Pairs,
    times: Times,
    connect: Connect,
    permits: Permits,
) {
    // Without a descriptor to wait with, there is no session.
    let Ok(connector) = Connector::new(connect, permits) else {
        return;
    };
    let (targets, buffer) = (BTreeMap::new(), vec![0; CHUNK]);
    let mut session = Session {
        link,
        pairs,
        times,
        connector,
        targets,
        buffer,
    };
    let end = session.run();
    if let End::Violation(violation) = &end {
        session.pairs.refuse(violation);
    }
    session.link.queue(session.pairs.output());
    // A client that is gone by now has nothing left to be told.
    let _ = match end {
        // One that says that it leaves is answered, if it can be at once.
        End::Gone => session.link.flush(),
        End::Done => session.link.finish(times.idle),
        End::Violation(_) => session.link.refuse(),
    };
}

impl Session<'_> {
    fn run(&mut self) -> End {
        loop {
            if let Err(end) = self.turn() {
                return end;
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        // What came with the request's head, or since then.
        self.take_in()?;
        let now = Instant::now();
        self.end_targets(now);
        self.end_stalled(now);
        let expired = now.checked_sub(self.times.creation);
        let oldest = expired.and_then(|expired| self.pairs.expire(expired));
        self.link.queue(self.pairs.output());
        self.link.flush()?;
        if self.pairs.are_over() {
            return Err(End::Done);
        }
        let for_input = self.has_room() && !self.link.is_overfull();
        let until = self.wake_at(oldest);
        let (readable, ready) = self.wait(for_input, until)?;
        let idle = Instant::now() >= self.link.last_traffic() + self.times.idle;
        if ready.stopped || ready.hung_up || idle {
            return Err(End::Gone);
        }
        if for_input {
            let received = self.link.receive()?;
            self.take_in()?;
            if received == Received::End {
                return Err(End::Gone);
            }
        }
        for (pair, made) in self.connector.made() {
            self.connected(pair, made);
        }
        for target in self.targets.values_mut() {
            target.write();
        }
        for pair in readable {
            self.read(pair);
        }
        Ok(())
    }

    /// Whether more can be kept for the ports. It is one bound for all: what comes for one can't be
    /// read without what comes for another before it.
    fn has_room(&self) -> bool {
        self.targets.values().map(Target::waiting).sum::<usize>() < MOST_WAITING
    }

    /// The pair for whose port most waits, if that keeps others from being served, and when it has
    /// done so for too long. One alone may take as long as it likes.
    fn stalled(&self) -> Option<(Pair, Instant)> {
        if self.has_room() || self.targets.len() < 2 {
            return None;
        }
        let most = self.targets.iter().max_by_key(|(_, one)| one.waiting());
        most.map(|(pair, target)| (*pair, target.taken() + self.times.stalled))
    }

    fn end_stalled(&mut self, now: Instant) {
        if let Some((pair, at)) = self.stalled()
            && at <= now
        {
            self.finish(pair, Ending::Broken);
        }
    }

    /// Waits, and says which ports have something.
    fn wait(&self, for_input: bool, until: Instant) -> io::Result<(Vec<Pair>, Ready)> {
        let interest = |descriptor, flags| Interest { descriptor, flags };
        let mut interests = vec![interest(self.connector.descriptor(), PollFlags::IN)];
        let mut readers = Vec::new();
        // The readers come last, so that their answers can be told from the others'.
        let writers = self.targets.values().filter_map(|target| target.writable());
        interests.extend(writers.map(|fd| interest(fd, PollFlags::OUT)));
        let others = interests.len();
        if !self.link.is_congested() {
            for (pair, target) in &self.targets {
                if let Some(descriptor) = target.descriptor() {
                    interests.push(interest(descriptor, PollFlags::IN));
                    readers.push(*pair);
                }
            }
        }
        let heed = if for_input {
            Heed::Input
        } else {
            Heed::Leaving
        };
        let ready = self.link.wait(heed, &interests, Some(until))?;
        let readable = readers.into_iter().zip(ready.others.iter().skip(others));
        let readable = readable.filter(|(_, ready)| **ready).map(|(pair, _)| pair);
        Ok((readable.collect(), ready))
    }

    fn wake_at(&self, oldest_half: Option<Instant>) -> Instant {
        let idle = self.link.last_traffic() + self.times.idle;
        let over = self.targets.values().filter_map(Target::over_at).min();
        let expired = oldest_half.map(|since| since + self.times.creation);
        let stalled = self.stalled().map(|(_, at)| at);
        let others = over.into_iter().chain(expired).chain(stalled);
        others.fold(idle, Instant::min)
    }

    /// Understands what has come in.
    fn take_in(&mut self) -> Result<(), End> {
        let result = self.pairs.receive(self.link.incoming(), Instant::now());
        self.link.incoming().clear();
        result.map_err(End::Violation)?;
        while let Some(incoming) = self.pairs.incoming() {
            self.take(incoming)?;
        }
        Ok(())
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), End> {
        match incoming {
            Incoming::Connect(pair, port) => {
                self.targets.insert(pair, Target::awaited(port));
                self.connector.begin(pair, port);
            }
            Incoming::Data(pair, bytes) => {
                if let Some(target) = self.targets.get_mut(&pair) {
                    target.push(&bytes);
                }
            }
            Incoming::End(pair) => {
                if let Some(target) = self.targets.get_mut(&pair) {
                    target.end();
                }
            }
            Incoming::Reset(pair) => self.finish(pair, Ending::Done),
            Incoming::Gone => return Err(End::Gone),
        }
        Ok(())
    }

    fn connected(&mut self, pair: Pair, made: Result<Connected, String>) {
        // A client may have changed its mind.
        let Some(target) = self.targets.get_mut(&pair) else {
            return;
        };
        let opened = made.and_then(|made| target.open(made).map_err(|error| error.to_string()));
        if let Err(reason) = opened {
            self.fail(pair, &reason);
        }
    }

    fn read(&mut self, pair: Pair) {
        let Some(target) = self.targets.get_mut(&pair) else {
            return;
        };
        match target.read(&mut self.buffer) {
            Read::Bytes(length) => {
                self.pairs
                    .send(pair, self.buffer.get(..length).unwrap_or_default());
            }
            Read::Nothing => {}
            Read::End => self.pairs.end(pair),
            Read::Broken => self.finish(pair, Ending::Broken),
        }
    }

    /// Ends what is over by now.
    fn end_targets(&mut self, now: Instant) {
        let over = |target: &Target| target.over_at().is_some_and(|at| at <= now);
        let over = self.targets.iter().filter(|(_, target)| over(target));
        for pair in over.map(|(pair, _)| *pair).collect::<Vec<_>>() {
            self.finish(pair, Ending::Done);
        }
    }

    /// Ends a pair that was never connected.
    fn fail(&mut self, pair: Pair, reason: &str) {
        if let Some(target) = self.targets.get(&pair) {
            let text = format!("error forwarding port {}: {reason}", target.port);
            self.finish(pair, Ending::Failed(&text));
        }
    }

    fn finish(&mut self, pair: Pair, ending: Ending<'_>) {
        self.connector.forget(pair);
        if self.targets.remove(&pair).is_some() {
            self.pairs.finish(pair, ending);
        }
    }
}
