//! A connection to a port, from when it is asked for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::connector::{Connected, Permit};
use crate::outlet::{AtEnd, Outlet};

/// How long a client may pause that goes on to send to a port from which nothing more comes.
const HALF_CLOSED: Duration = Duration::from_secs(1);

/// A connection to a port.
pub(super) struct Target {
    pub(super) port: u16,
    /// What goes to the port.
    pub(super) to: Outlet,
    from: Option<(OwnedFd, Permit)>,
    /// Since when nothing more comes from it, and nothing has gone to it.
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
    Broken(Errno),
}

impl Target {
    /// One that is being connected.
    pub(super) fn awaited(port: u16) -> Self {
        Self {
            port,
            to: Outlet::awaited(AtEnd::Shutdown),
            from: None,
            half_closed: None,
        }
    }

    /// It is connected.
    pub(super) fn open(&mut self, connected: Connected) -> io::Result<()> {
        self.to.open(connected.socket.try_clone()?);
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

    /// Takes what the client sent.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.to.push(bytes);
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
            Err(errno) => Read::Broken(errno),
        }
    }

    /// When it is over, unless the client goes on to send. `None` as long as something may come.
    pub(super) fn over_at(&self) -> Option<Instant> {
        let since = self.half_closed?;
        Some(if self.to.has_ended() {
            since
        } else {
            since + HALF_CLOSED
        })
    }
}
