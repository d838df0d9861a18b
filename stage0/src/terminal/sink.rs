//! Our own standard output and error, written to without waiting for whoever reads them.
//!
//! They are often somebody else's as well, who would notice if they didn't block any more. So a pipe or a terminal is
//! opened once more for us alone; a socket can be asked not to wait with each call; a file doesn't block.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::libc::{O_NOCTTY, O_NONBLOCK};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::write;

use crate::console::output::Stream;

/// Bytes that a pipe takes whole, once poll(2) has said that there is room.
const PIPE_BUF: usize = 4096;

/// A stream that a session writes to.
#[derive(Debug)]
pub(crate) struct Sink {
    stream: Stream,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Own(File),
    /// A file, or a pipe or terminal that could not be opened again.
    Shared,
    Socket,
}

impl Sink {
    /// One of ours.
    pub(crate) fn of(stream: Stream) -> Self {
        let sink = Self {
            stream,
            way: Way::Shared,
        };
        let kind = sink.kind();
        let way = if kind == SFlag::S_IFIFO || kind == SFlag::S_IFCHR {
            let number = match stream {
                Stream::Stdout => io::stdout().as_raw_fd(),
                Stream::Stderr => io::stderr().as_raw_fd(),
            };
            OpenOptions::new()
                .write(true)
                .custom_flags(O_NONBLOCK | O_NOCTTY)
                .open(format!("/proc/self/fd/{number}"))
                .map_or(Way::Shared, Way::Own)
        } else if kind == SFlag::S_IFSOCK {
            Way::Socket
        } else {
            Way::Shared
        };
        Self { way, ..sink }
    }

    /// Which it is.
    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// Whether it is a terminal, also one that has been hung up.
    pub(crate) fn is_terminal(&self) -> bool {
        self.kind() == SFlag::S_IFCHR
    }

    fn kind(&self) -> SFlag {
        let status = self.with_fd(|fd| fstat(fd));
        status.map_or(SFlag::empty(), |status| {
            SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT
        })
    }

    fn with_fd<T>(&self, action: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        match (&self.way, self.stream) {
            (Way::Own(file), _) => action(file.as_fd()),
            (_, Stream::Stdout) => action(io::stdout().as_fd()),
            (_, Stream::Stderr) => action(io::stderr().as_fd()),
        }
    }

    /// What to wait for with poll(2).
    pub(crate) fn own(&self) -> Option<BorrowedFd<'_>> {
        match &self.way {
            Way::Own(file) => Some(file.as_fd()),
            Way::Shared | Way::Socket => None,
        }
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// What write(2) answers.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.with_fd(|fd| match &self.way {
            Way::Own(_) => write(fd, bytes),
            Way::Shared => write(fd, bytes.get(..PIPE_BUF).unwrap_or(bytes)),
            Way::Socket => send(fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT),
        })
    }
}
