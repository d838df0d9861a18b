//! The link to a client: what is on its way there, and when something last passed.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::transport::{Received, Transport};

/// With more bytes than that on their way, nothing is read that would become more.
const CONGESTED: usize = 128 << 10;
/// With more than that, not even what the client says is read: it asks for answers without reading
/// any. Output alone never becomes so much, so a slow terminal's Ctrl-C still gets through.
const OVERFULL: usize = 512 << 10;
/// How long a client that was refused may take for its answer, and to leave.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client whose kernel has all that was sent, the end too, may be silent before it is
/// left: twice as long as Kubernetes' clients are between two pings.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often is looked whether the client's kernel has it all. Nothing tells of that.
const LOOK: Duration = Duration::from_secs(1);

/// A connection with a client, in bytes.
pub(crate) struct Link<'a> {
    transport: Transport,
    /// Becomes readable when the server stops.
    stop: Option<BorrowedFd<'a>>,
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Vec<u8>,
    last_traffic: Instant,
}

/// What a wait came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The server stops.
    pub(crate) stopped: bool,
    /// The client is gone without having ended what it sends.
    pub(crate) hung_up: bool,
    /// Which of the others are ready, in their order.
    pub(crate) others: Vec<bool>,
}

/// What of a client a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heed {
    /// What it sends.
    Input,
    /// That it leaves, in whichever way: what it has sent before that is for nobody then.
    Leaving,
    /// That the connection breaks. What it has sent before it leaves still counts.
    Break,
}

/// What a session waits for, besides its link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interest<'a> {
    /// Which descriptor.
    pub(crate) descriptor: BorrowedFd<'a>,
    /// For what.
    pub(crate) flags: PollFlags,
}

impl<'a> Link<'a> {
    /// Over this transport.
    pub(crate) fn new(transport: Transport, stop: Option<BorrowedFd<'a>>) -> Self {
        let (outgoing, incoming) = (Vec::new(), Vec::new());
        let last_traffic = Instant::now();
        Self {
            transport,
            stop,
            outgoing,
            sent: 0,
            incoming,
            last_traffic,
        }
    }

    /// Appends bytes to what is on its way, and leaves none.
    pub(crate) fn queue(&mut self, bytes: &mut Vec<u8>) {
        self.outgoing.append(bytes);
    }

    /// Whether so much is on its way that nothing should be added.
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting() > CONGESTED
    }

    /// Whether the client leaves so much unread that nothing more is taken from it.
    pub(crate) fn is_overfull(&self) -> bool {
        self.waiting() > OVERFULL
    }

    /// When something last came in or went out.
    pub(crate) fn last_traffic(&self) -> Instant {
        self.last_traffic
    }

    /// Sends what can be sent now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        loop {
            let rest = self.outgoing.get(self.sent..).unwrap_or_default();
            if rest.is_empty() && !self.transport.has_backlog() {
                break;
            }
            let sent = self.transport.send(rest)?;
            if sent == 0 {
                break;
            }
            self.last_traffic = Instant::now();
            self.sent += sent;
        }
        if self.sent == self.outgoing.len() {
            self.outgoing.clear();
            self.sent = 0;
            // A burst doesn't keep its memory for as long as the session lasts.
            self.outgoing.shrink_to(CONGESTED);
        } else if self.sent > CONGESTED {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
        Ok(())
    }

    /// Takes what has come in.
    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        let before = self.incoming.len();
        let received = self.transport.receive(&mut self.incoming)?;
        if self.incoming.len() > before {
            self.last_traffic = Instant::now();
        }
        Ok(received)
    }

    /// What was received, until it is taken from there.
    pub(crate) fn incoming(&mut self) -> &mut Vec<u8> {
        &mut self.incoming
    }

    /// Waits for the client, for what else is of interest, or for a time. What is ready shows when
    /// it is used: all descriptors are non-blocking.
    pub(crate) fn wait(
        &self,
        heed: Heed,
        others: &[Interest<'_>],
        until: Option<Instant>,
    ) -> io::Result<Ready> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, heed == Heed::Input);
        flags.set(PollFlags::RDHUP, heed == Heed::Leaving);
        flags.set(
            PollFlags::OUT,
            self.waiting() > 0 || self.transport.has_backlog(),
        );
        let client = self.transport.descriptor();
        let mut polled = Vec::with_capacity(others.len() + 2);
        polled.push(PollFd::from_borrowed_fd(client, flags));
        for other in others {
            polled.push(PollFd::from_borrowed_fd(other.descriptor, other.flags));
        }
        polled.extend(
            self.stop
                .map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)),
        );
        wait_for(&mut polled, until)?;
        let stop = polled.last().filter(|_| self.stop.is_some());
        let stopped = stop.is_some_and(|stop| !stop.revents().is_empty());
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL | PollFlags::RDHUP;
        let client = polled.first().map_or(PollFlags::empty(), PollFd::revents);
        // Where there is something to read, reading tells.
        let hung_up = heed != Heed::Input && client.intersects(gone);
        let others = polled.iter().skip(1).take(others.len());
        let others = others.map(|other| !other.revents().is_empty()).collect();
        Ok(Ready {
            stopped,
            hung_up,
            others,
        })
    }

    /// Sends what is left, says that this was all, and waits until the client has read it and
    /// leaves: a socket that is closed before that takes back what the other side hasn't read, as
    /// soon as that sends something, be it a ping. It is left after that long without a byte in
    /// either direction.
    pub(crate) fn finish(self, idle: Duration) -> io::Result<()> {
        self.leave(|last_traffic, most| last_traffic + most.map_or(idle, |most| most.min(idle)))
    }

    /// The same for a client that was refused, or broke the protocol: it has that long in all.
    pub(crate) fn refuse(self) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        self.leave(|last_traffic, most| end.min(last_traffic + most.unwrap_or(PATIENCE)))
    }

    /// Leaves a client. `until` says when at the latest: by when something last passed, and how long
    /// nothing may, if that is less than usual.
    fn leave(mut self, until: impl Fn(Instant, Option<Duration>) -> Instant) -> io::Result<()> {
        self.last_traffic = Instant::now();
        if !self.drain(&until)? {
            return Ok(());
        }
        self.transport.say_end();
        if !self.drain(&until)? {
            return Ok(());
        }
        self.transport.end()?;
        self.await_leaving(&until)
    }

    /// Sends all that waits. Whether that could be done before the client left.
    fn drain(&mut self, until: impl Fn(Instant, Option<Duration>) -> Instant) -> io::Result<bool> {
        loop {
            self.flush()?;
            if self.waiting() == 0 && !self.transport.has_backlog() {
                return Ok(true);
            }
            let end = until(self.last_traffic, None);
            if self.discard(end)? || Instant::now() >= end {
                return Ok(false);
            }
        }
    }

    /// Waits until a client that was told of the end leaves.
    fn await_leaving(
        &mut self,
        until: impl Fn(Instant, Option<Duration>) -> Instant,
    ) -> io::Result<()> {
        let mut owed = usize::MAX;
        loop {
            let left = self.transport.unacknowledged()?;
            if left < owed {
                self.last_traffic = Instant::now();
            }
            owed = left;
            let (most, look) = match owed {
                0 => (Some(FAREWELL), FAREWELL),
                _ => (None, LOOK),
            };
            let end = until(self.last_traffic, most);
            if self.discard(end.min(Instant::now() + look))? || Instant::now() >= end {
                return Ok(());
            }
        }
    }

    fn waiting(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Waits for the client, and forgets what it sends. Whether it is gone, or the server stops.
    fn discard(&mut self, until: Instant) -> io::Result<bool> {
        if self.wait(Heed::Input, &[], Some(until))?.stopped {
            return Ok(true);
        }
        let received = self.receive()?;
        self.incoming.clear();
        Ok(received == Received::End)
    }
}

/// poll(2), at most until a time. Interruptions count as being woken.
pub(crate) fn wait_for(polled: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<()> {
    let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(polled, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_client_that_leaves_is_seen_before_what_it_sent_is_read_where_that_is_for_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut link = Link::new(
            Transport::new(listener.accept().unwrap().0, None).unwrap(),
            None,
        );
        client.write_all(b"last").unwrap();
        drop(client);
        let until = Instant::now() + Duration::from_secs(20);
        let left = |heed| link.wait(heed, &[], Some(until)).unwrap().hung_up;
        assert!(left(Heed::Leaving));
        assert!(!left(Heed::Input));
        let soon = Instant::now() + Duration::from_millis(50);
        assert!(!link.wait(Heed::Break, &[], Some(soon)).unwrap().hung_up);
        link.receive().unwrap();
        assert_eq!(link.incoming(), b"last");
    }
}
