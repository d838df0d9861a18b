//! What a client has sent to a command that hasn't read it yet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

/// The most bytes that wait for a command. While they do, nothing more is read from its client.
const MOST: usize = 64 << 10;
/// Control-D: what a terminal's reader takes for the end of its input, unless it wants to read
/// every key.
const END_OF_TRANSMISSION: u8 = 0x04;

/// The way into a command.
pub(super) struct Stdin {
    to: Option<OwnedFd>,
    pending: Vec<u8>,
    written: usize,
    ended: bool,
    /// What stands for the end, where closing can't: a terminal is closed for both directions.
    last_word: Option<u8>,
}

impl Stdin {
    /// A pipe: its end is told by closing it.
    pub(super) fn pipe(to: Option<OwnedFd>) -> Self {
        Self {
            to,
            pending: Vec::new(),
            written: 0,
            ended: false,
            last_word: None,
        }
    }

    /// A terminal. Of a command of one client, the end is told; of an app, it isn't: others may
    /// come.
    pub(super) fn terminal(to: OwnedFd, tell_end: bool) -> Self {
        let last_word = tell_end.then_some(END_OF_TRANSMISSION);
        Self {
            last_word,
            ..Self::pipe(Some(to))
        }
    }

    /// Takes what the client sent.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.to.is_some() && !self.ended {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// The client sends nothing more.
    pub(super) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.pending.extend(self.last_word);
            self.close_if_done();
        }
    }

    /// Whether more can be taken from the client.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() - self.written < MOST
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len() - self.written
    }

    /// What has to become writable for something to be written.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let to = self.to.as_ref()?;
        (self.waiting() > 0).then(|| to.as_fd())
    }

    /// Writes as much as is taken. A command that reads no more is no failure: what is for it goes
    /// nowhere.
    pub(super) fn write(&mut self) {
        while let (Some(to), Some(rest @ [_, ..])) = (&self.to, self.pending.get(self.written..)) {
            match rustix::io::write(to, rest) {
                Ok(written) => self.written += written,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.to = None;
                    self.written = self.pending.len();
                }
            }
        }
        if self.written == self.pending.len() {
            self.pending.clear();
            self.written = 0;
        } else if self.written > MOST {
            self.pending.drain(..self.written);
            self.written = 0;
        }
        self.close_if_done();
    }

    fn close_if_done(&mut self) {
        if self.ended && self.waiting() == 0 {
            self.to = None;
        }
    }
}
