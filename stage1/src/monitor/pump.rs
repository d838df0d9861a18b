//! Moving bytes from one descriptor to another without ever blocking the monitor.
//!
//! The sink may be somebody else's standard output, whose file description must not be made
//! non-blocking. So no more than `PIPE_BUF` bytes are written at once, and only after poll(2) has said that
//! there is room: then a pipe or terminal takes them all.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::PollFlags;
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, read, write};

/// What poll(2) guarantees to fit into a writable pipe.
const PIPE_BUF: usize = 4096;
/// Bytes read at once.
const BUFFER: usize = 32 << 10;

/// A descriptor that the pump owns, or a standard stream that it borrows.
#[derive(Debug)]
pub(super) enum End {
    Owned(OwnedFd),
    Standard(BorrowedFd<'static>),
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Owned(fd) => fd.as_fd(),
            Self::Standard(fd) => *fd,
        }
    }
}

/// One direction of one stream.
#[derive(Debug)]
pub(super) struct Pump {
    source: End,
    sink: End,
    at_once: usize,
    pending: Vec<u8>,
    written: usize,
    ended: bool,
    broken: bool,
}

impl Pump {
    pub(super) fn new(source: End, sink: End) -> Self {
        let regular = fstat(&sink)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let at_once = if regular { BUFFER } else { PIPE_BUF };
        Self {
            source,
            sink,
            at_once,
            pending: Vec::new(),
            written: 0,
            ended: false,
            broken: false,
        }
    }

    /// Whether there is nothing left to move.
    pub(super) fn is_done(&self) -> bool {
        self.broken || (self.ended && self.pending.is_empty())
    }

    /// The event that [`Pump::advance`] waits for.
    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        if self.pending.is_empty() {
            (self.source.as_fd(), PollFlags::POLLIN)
        } else {
            (self.sink.as_fd(), PollFlags::POLLOUT)
        }
    }

    /// Moves what can be moved after that event.
    pub(super) fn advance(&mut self) {
        if self.pending.is_empty() {
            self.fill();
        } else {
            self.flush();
        }
    }

    fn fill(&mut self) {
        let mut buffer = [0; BUFFER];
        match read(&self.source, &mut buffer) {
            // EIO: the last process on the other side of a terminal is gone.
            Ok(0) | Err(Errno::IO) => self.ended = true,
            Ok(length) => {
                self.pending = buffer.get(..length).unwrap_or_default().to_vec();
                self.written = 0;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.broken = true,
        }
    }

    fn flush(&mut self) {
        let rest = self.pending.get(self.written..).unwrap_or_default();
        let piece = rest.get(..self.at_once.min(rest.len())).unwrap_or_default();
        match write(&self.sink, piece) {
            Ok(length) => {
                self.written += length;
                if self.written >= self.pending.len() {
                    // Gives the memory back: most streams are quiet most of the time.
                    self.pending = Vec::new();
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The reader is gone: closing the source tells the app.
            Err(_) => self.broken = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;
    use std::io::{Read, Write};

    fn drive(pump: &mut Pump) {
        while !pump.is_done() {
            let (fd, flags) = pump.interest();
            let mut fds = [nix::poll::PollFd::new(fd, flags)];
            nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE).unwrap();
            pump.advance();
        }
    }

    #[test]
    fn everything_arrives_in_order() {
        let (source, mut app) = pipe().map(|(r, w)| (r, std::fs::File::from(w))).unwrap();
        let (mut reader, sink) = pipe().map(|(r, w)| (std::fs::File::from(r), w)).unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let expected = sent.clone();
        let writer = std::thread::spawn(move || app.write_all(&sent).unwrap());
        let collector = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        let mut pump = Pump::new(End::Owned(source), End::Owned(sink));
        drive(&mut pump);
        drop(pump);
        writer.join().unwrap();
        assert!(collector.join().unwrap() == expected);
    }

    #[test]
    fn a_reader_that_leaves_ends_the_pump() {
        let (source, mut app) = pipe().map(|(r, w)| (r, std::fs::File::from(w))).unwrap();
        let (reader, sink) = pipe().unwrap();
        drop(reader);
        app.write_all(b"x").unwrap();
        let mut pump = Pump::new(End::Owned(source), End::Owned(sink));
        drive(&mut pump);
        assert!(pump.is_done());
    }
}
