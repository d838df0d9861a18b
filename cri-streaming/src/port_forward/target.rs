//! A connection to a port, from when it is asked for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::connector::{Connected, Permit};
use crate::outlet::{AtEnd, Outlet};

/// How long a client may pause that goes on to send to a port from which nothing more comes.
const HALF_CLOSED: Duration = Duration::from_secs(1);
/// How long such a port may leave untaken what has come for it.
const UNTAKEN: Duration = Duration::from_secs(30);

/// A connection to a port.
pub(super) struct Target {
    pub(super) port: u16,
    /// What goes to the port.
    to: Outlet,
    /// When it last took something of that, or since when there is something to take.
    taken: Instant,
    from: Option<(OwnedFd, Permit)>,
    /// Since when nothing more comes from it, nothing has come for it and nothing has gone to it.
    half_closed: Option<Instant>,
}

/// What came from a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Nothing from now on.
    End,
    /// The connection broke.
    Broken,
}

impl Target {
    /// One that is being connected.
    pub(super) fn awaited(port: u16) -> Self {
        Self {
            port,
            to: Outlet::awaited(AtEnd::Shutdown),
            taken: Instant::now(),
            from: None,
            half_closed: None,
        }
    }

    /// It is connected.
    pub(super) fn open(&mut self, connected: Connected) -> io::Result<()> {
        self.to.open(connected.socket.try_clone()?);
        self.taken = Instant::now();
        self.from = Some((connected.socket, connected.permit));
        Ok(())
    }

    /// What becomes readable when something comes from it.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.from {
            Some((from, _)) if self.half_closed.is_none() => Some(from.as_fd()),
            _ => None,
        }
    }

    /// What becomes writable when it takes something that waits for it.
    pub(super) fn writable(&self) -> Option<BorrowedFd<'_>> {
        self.to.descriptor()
    }

    /// Takes what the client sent.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.to.waiting() == 0 {
            self.taken = Instant::now();
        }
        self.to.push(bytes);
        self.renew();
    }

    /// The client sends nothing more.
    pub(super) fn end(&mut self) {
        self.to.end();
    }

    /// Hands the port as much as it takes.
    pub(super) fn write(&mut self) {
        let before = self.to.waiting();
        self.to.write();
        if self.to.waiting() < before {
            self.taken = Instant::now();
            self.renew();
        }
    }

    /// How many bytes wait for it.
    pub(super) fn waiting(&self) -> usize {
        self.to.waiting()
    }

    /// Since when it has taken nothing of what waits.
    pub(super) fn taken(&self) -> Instant {
        self.taken
    }

    fn renew(&mut self) {
        if self.half_closed.is_some() {
            self.half_closed = Some(Instant::now());
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Read {
        let Some((from, _)) = self.from.as_ref().filter(|_| self.half_closed.is_none()) else {
            return Read::Nothing;
        };
        match rustix::io::read(from, buffer) {
            Ok(0) => {
                self.half_closed = Some(Instant::now());
                Read::End
            }
            Ok(length) => Read::Bytes(length),
            Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
            Err(_) => Read::Broken,
        }
    }

    /// When it is over, unless the client goes on to send, or the port to take. `None` as long as
    /// something may come.
    pub(super) fn over_at(&self) -> Option<Instant> {
        let since = self.half_closed?;
        Some(if self.to.is_closed() {
            since
        } else if self.to.waiting() > 0 {
            self.taken.max(since) + UNTAKEN
        } else {
            since + HALF_CLOSED
        })
    }
}
