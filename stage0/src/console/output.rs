//! Writing to the standard streams.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write as write_some;
use serde::Serialize;

use super::harmless::harmless_lines;
use crate::wording::failure::{Failure, one_line};
use crate::wording::typed::as_typed;

/// Whether `--debug` was given.
static DEBUG: AtomicBool = AtomicBool::new(false);

/// Lets [`debug`] write from now on.
pub(crate) fn enable_debug() {
    DEBUG.store(true, Ordering::Relaxed);
}

/// Writes what only `--debug` shows to standard error.
pub(crate) fn debug(text: impl FnOnce() -> String) {
    if DEBUG.load(Ordering::Relaxed) {
        error(&format!("debug: {}\n", text()));
    }
}

/// A stream that a command writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// What messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        }
    }
}

/// Writes all of this.
///
/// # Errors
/// What write(2) answers.
pub(crate) fn write(stream: Stream, bytes: &[u8]) -> Result<(), Errno> {
    match stream {
        Stream::Stdout => write_all(io::stdout().as_fd(), bytes),
        Stream::Stderr => write_all(io::stderr().as_fd(), bytes),
    }
}

/// Whoever shares a stream may have made it one that doesn't block: then its reader is waited for.
fn write_all(stream: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write_some(stream, bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut writable = [PollFd::new(stream, PollFlags::POLLOUT)];
                match poll(&mut writable, PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes text to standard output.
///
/// # Errors
/// If it can't be written, such as to a full disk.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes bytes to standard output as they are; to a terminal, what it does not obey: words of images and apps are in them.
///
/// # Errors
/// As [`text`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let stream = Stream::Stdout;
    let written = match io::stdout().is_terminal() {
        true => write(stream, &harmless_lines(bytes)),
        false => write(stream, bytes),
    };
    written.map_err(Failure::errno("write to", stream.name()))
}

/// Standard output for what is written piece by piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stdout;

impl io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(Stream::Stdout, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line to standard output.
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Writes a value as indented JSON to standard output.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Other(format!("cannot write as JSON: {error}")))?;
    line(&json)
}

/// Writes text to standard error, without what a terminal would obey: words of strangers are in it. Where that fails there
/// is nobody left to tell.
pub(crate) fn error(text: &str) {
    let _ = write(Stream::Stderr, &harmless_lines(text.as_bytes()));
}

/// Moves the cursor of the terminal that standard error is, and draws there.
pub(crate) fn draw(text: &str) {
    let _ = write(Stream::Stderr, text.as_bytes());
}

/// Writes why something failed to standard error: one line, whatever names of strangers are in it.
pub(crate) fn failure(line: &str) {
    error(&failure_line(line));
}

fn failure_line(line: &str) -> String {
    format!("fairing: {}\n", one_line(line))
}

/// Writes a warning to standard error: one line, whatever names of strangers are in it.
pub(crate) fn warn(text: &str) {
    error(&format!("warning: {}\n", one_line(&as_typed(text))));
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    #[test]
    fn a_pipe_that_does_not_block_gets_everything() {
        let (reader, writer) = pipe2(OFlag::O_NONBLOCK).unwrap();
        let sent = vec![b'x'; 1 << 20];
        let writing = std::thread::spawn({
            let sent = sent.clone();
            move || write_all(writer.as_fd(), &sent)
        });
        let mut got = Vec::new();
        loop {
            let mut readable = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
            poll(&mut readable, PollTimeout::NONE).unwrap();
            let mut buffer = [0; 4096];
            match File::from(reader.try_clone().unwrap()).read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => got.extend_from_slice(&buffer[..length]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(writing.join().unwrap(), Ok(()));
        assert!(got == sent, "{} bytes came", got.len());
    }

    #[test]
    fn a_failure_is_one_line_that_no_terminal_obeys() {
        let hostile = "a.yaml:3: spec.\u{1b}[2J\u{9b}31m\n\rfairing: all is well: unknown\n";
        let line = failure_line(hostile);
        assert_eq!(
            line,
            "fairing: a.yaml:3: spec. [2J 31m  fairing: all is well: unknown\n"
        );
    }

    #[test]
    fn a_full_disk_is_told() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(write_all(full.as_fd(), b"x"), Err(Errno::ENOSPC));
    }
}
