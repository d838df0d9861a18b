//! What a client has sent to a descriptor that hasn't taken it yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::Shutdown;

/// The most bytes that wait, where a client has one outlet. While they do, nothing more is read from
/// it.
const MOST: usize = 64 << 10;
/// Control-D: what a terminal's reader takes for the end of its input, unless it reads every key.
const END_OF_TRANSMISSION: u8 = 0x04;

/// What tells the other end that nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// Closing the descriptor: a pipe.
    Close,
    /// A character, where closing would end the other direction too: a terminal.
    EndOfTransmission,
    /// Nothing: others may write to the same terminal.
    Nothing,
    /// shutdown(2): a socket.
    Shutdown,
}

#[derive(Debug)]
enum To {
    /// It is still being made.
    Awaited,
    Open(OwnedFd),
    /// Nobody takes anything any more.
    Closed,
}

/// The way from a client to a descriptor.
#[derive(Debug)]
pub(crate) struct Outlet {
    to: To,
    at_end: AtEnd,
    pending: Vec<u8>,
    written: usize,
    ended: bool,
}

impl Outlet {
    /// To this descriptor, which doesn't block. Without one, everything goes nowhere.
    pub(crate) fn new(to: Option<OwnedFd>, at_end: AtEnd) -> Self {
        let to = to.map_or(To::Closed, To::Open);
        Self {
            to,
            at_end,
            pending: Vec::new(),
            written: 0,
            ended: false,
        }
    }

    /// To a descriptor that [`Self::open`] gives later.
    pub(crate) fn awaited(at_end: AtEnd) -> Self {
        Self {
            to: To::Awaited,
            ..Self::new(None, at_end)
        }
    }

    /// Gives it the descriptor that it waits for.
    pub(crate) fn open(&mut self, to: OwnedFd) {
        self.to = To::Open(to);
        self.write();
    }

    /// Takes what the client sent.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !self.ended && !matches!(self.to, To::Closed) {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// The client sends nothing more.
    pub(crate) fn end(&mut self) {
        if !self.ended {
            if self.at_end == AtEnd::EndOfTransmission {
                self.push(&[END_OF_TRANSMISSION]);
            }
            self.ended = true;
            self.close_if_done();
        }
    }

    /// Whether nobody takes anything any more.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.to, To::Closed)
    }

    /// Whether more can be taken from the client.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting() < MOST
    }

    /// What has to become writable for something to be written.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.to {
            To::Open(to) if self.waiting() > 0 => Some(to.as_fd()),
            _ => None,
        }
    }

    /// Writes as much as is taken. That the other end takes no more is no failure: what is for it
    /// goes nowhere.
    pub(crate) fn write(&mut self) {
        while let (To::Open(to), Some(rest @ [_, ..])) =
            (&self.to, self.pending.get(self.written..))
        {
            match rustix::io::write(to, rest) {
                Ok(written) => self.written += written,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.to = To::Closed;
                    self.written = self.pending.len();
                }
            }
        }
        if self.waiting() == 0 {
            // A burst doesn't keep its memory for as long as the session lasts.
            self.pending = Vec::new();
            self.written = 0;
        } else if self.written > MOST {
            self.pending.drain(..self.written);
            self.written = 0;
        }
        self.close_if_done();
    }

    /// How many bytes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len() - self.written
    }

    fn close_if_done(&mut self) {
        if let To::Open(to) = &self.to
            && self.ended
            && self.waiting() == 0
        {
            if self.at_end == AtEnd::Shutdown {
                // A socket that is shut down or reset already tells its other end the same.
                let _ = rustix::net::shutdown(to, Shutdown::Write);
            }
            self.to = To::Closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn pair() -> (OwnedFd, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        (here.into(), there)
    }

    #[test]
    fn what_waits_is_written_when_there_is_a_descriptor_and_then_the_end_is_told() {
        let (here, mut there) = pair();
        let kept = here.try_clone().unwrap();
        let mut outlet = Outlet::awaited(AtEnd::Shutdown);
        outlet.push(b"early");
        outlet.end();
        outlet.push(b"late");
        assert!(outlet.descriptor().is_none());
        outlet.open(here);
        let mut text = String::new();
        there.read_to_string(&mut text).unwrap();
        assert_eq!(text, "early");
        drop(kept);
    }

    #[test]
    fn what_is_not_taken_waits_within_a_bound_and_nobody_at_the_other_end_is_no_failure() {
        let (here, there) = pair();
        let mut outlet = Outlet::new(Some(here), AtEnd::Close);
        while outlet.has_room() {
            outlet.push(&[7; 1000]);
            outlet.write();
        }
        assert!(outlet.descriptor().is_some() && outlet.waiting() < MOST + 1000);
        drop(there);
        outlet.write();
        assert!(outlet.descriptor().is_none() && outlet.has_room());
        outlet.push(b"more");
        assert_eq!(outlet.waiting(), 0);
    }

    #[test]
    fn a_terminal_is_told_the_end_by_a_character_and_only_if_it_should_be() {
        for (at_end, told) in [
            (AtEnd::EndOfTransmission, "ls\n\x04"),
            (AtEnd::Nothing, "ls\n"),
        ] {
            let (here, mut there) = pair();
            let mut outlet = Outlet::new(Some(here), at_end);
            outlet.push(b"ls\n");
            outlet.end();
            outlet.write();
            let mut text = String::new();
            there.read_to_string(&mut text).unwrap();
            assert_eq!(text, told, "{at_end:?}");
        }
    }
}
