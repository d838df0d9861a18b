//! Moving bytes from one descriptor to another without ever blocking the monitor.
//!
//! The monitor's own standard streams are often somebody else's as well, and making a file description
//! non-blocking makes it so for all of them. So a pipe or a terminal is opened once more for the monitor alone; a
//! socket can be asked not to wait with each call; a file doesn't block.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::poll::PollFlags;
use nix::sys::signal::Signal;
use nix::sys::socket::{MsgFlags, recv, send};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, read, write};
use rustix::stdio::{stderr, stdin, stdout};

use crate::sys::with_unblocked;

/// Bytes read at once.
const BUFFER: usize = 32 << 10;
/// Bytes written at once to what could be neither opened again nor asked not to wait, after poll(2) has said
/// that there is room: what a pipe takes whole.
const PIPE_BUF: usize = 4096;
/// End of transmission: what a terminal takes for the end of its input.
pub(super) const EOT: u8 = 4;

/// Where a pump reads or writes.
#[derive(Debug)]
pub(super) enum End {
    /// A descriptor of the monitor's own, which doesn't block.
    Own(OwnedFd),
    /// A file, or a pipe or terminal that could not be opened again.
    Shared(BorrowedFd<'static>),
    /// A socket that others have too.
    Socket(BorrowedFd<'static>),
}

/// A standard stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standard {
    Input,
    Output,
    Error,
}

impl Standard {
    /// Whether it is a terminal.
    pub(super) fn is_terminal(self) -> bool {
        let fd = match self {
            Self::Input => stdin(),
            Self::Output => stdout(),
            Self::Error => stderr(),
        };
        rustix::termios::isatty(fd)
    }
}

impl End {
    /// A standard stream of the monitor's own.
    pub(super) fn standard(stream: Standard) -> Self {
        let (fd, direction) = match stream {
            Standard::Input => (stdin(), OFlags::RDONLY),
            Standard::Output => (stdout(), OFlags::WRONLY),
            Standard::Error => (stderr(), OFlags::WRONLY),
        };
        let kind = fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let flags = direction | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        match kind {
            Ok(FileType::Fifo | FileType::CharacterDevice) => {
                let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
                openat(CWD, path, flags, Mode::empty()).map_or(Self::Shared(fd), Self::Own)
            }
            Ok(FileType::Socket) => Self::Socket(fd),
            _ => Self::Shared(fd),
        }
    }

    /// Whether poll(2) tells of room in it, and not only that it is a file.
    pub(super) fn tells_of_room(&self) -> bool {
        !matches!(self, Self::Shared(_))
    }

    /// Whether this answer says that nobody reads there any more.
    pub(super) fn is_left(&self, errno: Errno) -> bool {
        let is_device = || {
            let kind = fstat(self).map(|stat| FileType::from_raw_mode(stat.st_mode));
            kind == Ok(FileType::CharacterDevice)
        };
        match errno {
            Errno::PIPE | Errno::CONNRESET => true,
            // A terminal that has been hung up.
            Errno::IO => is_device(),
            _ => false,
        }
    }

    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Own(_) | Self::Shared(_) => read(self, buffer),
            // Whoever shares it may have taken what was announced.
            Self::Socket(fd) => recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)
                .map_err(|errno| Errno::from_raw_os_error(errno as i32)),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Own(fd) => write(fd, bytes),
            Self::Shared(fd) => write(fd, bytes.get(..PIPE_BUF).unwrap_or(bytes)),
            Self::Socket(fd) => {
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                send(fd.as_raw_fd(), bytes, flags)
                    .map_err(|errno| Errno::from_raw_os_error(errno as i32))
            }
        }
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(fd) => fd.as_fd(),
            Self::Shared(fd) | Self::Socket(fd) => *fd,
        }
    }
}

/// One direction of one stream.
#[derive(Debug)]
pub(super) struct Pump {
    source: End,
    sink: End,
    pending: Vec<u8>,
    written: usize,
    ended: bool,
    broken: bool,
    /// What writing failed with, unless it is that the reader has gone.
    failure: Option<Errno>,
    /// Whether the end of the source goes to the sink as a character: a terminal can't be half closed.
    ends_by_character: bool,
    /// Whether the last line that was read has no end.
    in_line: bool,
}

impl Pump {
    pub(super) fn new(source: End, sink: End) -> Self {
        Self {
            source,
            sink,
            pending: Vec::new(),
            written: 0,
            ended: false,
            broken: false,
            failure: None,
            ends_by_character: false,
            in_line: false,
        }
    }

    /// One that leads to a terminal.
    pub(super) fn to_terminal(source: End, terminal: End) -> Self {
        Self {
            ends_by_character: true,
            ..Self::new(source, terminal)
        }
    }

    /// Why a part was lost, if it was.
    pub(super) fn failure(&self) -> Option<Errno> {
        self.failure
    }

    /// The terminal that has been told of the end of the source.
    pub(super) fn into_ended_terminal(self) -> Option<OwnedFd> {
        match self.sink {
            End::Own(terminal) if self.ends_by_character && self.ended => Some(terminal),
            _ => None,
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

    /// Whether something has been read and not yet been written.
    pub(super) fn holds(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Moves what can be moved after that event. `seen` gets what is read, and may make something else of it.
    pub(super) fn advance(&mut self, seen: impl FnOnce(&mut Vec<u8>)) {
        if self.pending.is_empty() {
            self.fill();
            if !self.pending.is_empty() {
                seen(&mut self.pending);
            }
        } else {
            self.flush();
        }
    }

    fn fill(&mut self) {
        let mut buffer = [0; BUFFER];
        let mut got = self.source.read(&mut buffer);
        if got == Err(Errno::IO) {
            // It may be the user's terminal, and this process in the background: it is stopped there, as any that reads.
            let again = || self.source.read(&mut buffer);
            got = with_unblocked(Signal::SIGTTIN, again).and_then(|read| read);
        }
        match got {
            // EIO: the last process on the other side of a terminal is gone.
            Ok(0) | Err(Errno::IO) => self.end(),
            Ok(length) => {
                self.pending = buffer.get(..length).unwrap_or_default().to_vec();
                self.in_line = !matches!(self.pending.last(), Some(b'\n' | b'\r' | &EOT));
                self.written = 0;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.broken = true,
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if self.ends_by_character {
            // The first one after an unfinished line ends just that.
            self.pending = vec![EOT; 1 + usize::from(self.in_line)];
            self.written = 0;
        }
    }

    fn flush(&mut self) {
        let rest = self.pending.get(self.written..).unwrap_or_default();
        match self.sink.write(rest) {
            Ok(length) => {
                self.written += length;
                if self.written >= self.pending.len() {
                    // Gives the memory back: most streams are quiet most of the time.
                    self.pending = Vec::new();
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Nobody takes it: closing the source tells the app.
            Err(errno) => {
                self.broken = true;
                self.failure = (!self.sink.is_left(errno)).then_some(errno);
            }
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
            pump.advance(|_| {});
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
        let mut pump = Pump::new(End::Own(source), End::Own(sink));
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
        let mut pump = Pump::new(End::Own(source), End::Own(sink));
        drive(&mut pump);
        assert!(pump.is_done());
        assert_eq!(pump.failure(), None);
    }

    #[test]
    fn a_terminal_is_told_of_the_end_by_a_character() {
        for (typed, told) in [
            ("", "\x04"),
            ("line\n", "line\n\x04"),
            ("half", "half\x04\x04"),
            ("half\x04", "half\x04\x04"),
        ] {
            let (source, mut user) = pipe().map(|(r, w)| (r, std::fs::File::from(w))).unwrap();
            let (mut app, sink) = pipe().map(|(r, w)| (std::fs::File::from(r), w)).unwrap();
            user.write_all(typed.as_bytes()).unwrap();
            drop(user);
            let mut pump = Pump::to_terminal(End::Own(source), End::Own(sink));
            drive(&mut pump);
            drop(pump);
            let mut text = String::new();
            app.read_to_string(&mut text).unwrap();
            assert_eq!(text, told);
        }
    }

    #[test]
    fn a_full_disk_ends_the_pump_and_is_told() {
        let (source, mut app) = pipe().map(|(r, w)| (r, std::fs::File::from(w))).unwrap();
        app.write_all(b"x").unwrap();
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut pump = Pump::new(End::Own(source), End::Own(full.unwrap().into()));
        drive(&mut pump);
        assert_eq!(pump.failure(), Some(Errno::NOSPC));
    }
}
