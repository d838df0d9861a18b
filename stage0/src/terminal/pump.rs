//! Moving bytes between this program's standard streams and the descriptors of a command in a pod.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::sys::termios::{LocalFlags, tcgetattr};
use pod::exit::says_only_that_output_was_lost;

use crate::console::output::Stream;
use crate::console::report;
use crate::sys::{end_by_closed_pipe, readable_bytes};
use crate::terminal::detach_keys::DetachKeys;
use crate::terminal::sink::Sink;
use crate::wording::failure::Failure;

/// Bytes moved at a time.
const CHUNK: usize = 64 << 10;
/// End of transmission: what a terminal sends for the end of input.
const EOT: u8 = 4;

/// Standard input on its way to the command.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// `None` once the command takes no more, or there is no more.
    target: Option<File>,
    /// Whether the end of input goes as a character, since a terminal can't be half closed.
    is_terminal: bool,
    pending: VecDeque<u8>,
    /// Whether the last line that was read has no end.
    in_line: bool,
    ended: bool,
    /// The keys that end the session, if there are any.
    keys: Option<DetachKeys>,
    /// Whether a terminal in line mode has been told of the end. If the command switches line mode off before it reads, as
    /// shells do, that is no end any more.
    told_in_line_mode: bool,
}

impl Upstream {
    /// Without `forward`, the command sees the end of its input at once.
    ///
    /// # Errors
    /// If the descriptor can't be made non-blocking.
    pub(crate) fn new(target: OwnedFd, is_terminal: bool, forward: bool) -> Result<Self, Failure> {
        set_nonblocking(target.as_fd())?;
        let keep = forward || is_terminal;
        Ok(Self {
            target: keep.then(|| File::from(target)),
            is_terminal,
            pending: VecDeque::new(),
            in_line: false,
            ended: !forward,
            keys: None,
            told_in_line_mode: false,
        })
    }

    /// To an app that takes no input.
    pub(crate) fn nowhere() -> Self {
        Self {
            target: None,
            is_terminal: false,
            pending: VecDeque::new(),
            in_line: false,
            ended: true,
            keys: None,
            told_in_line_mode: false,
        }
    }

    /// From now on these keys end the session, and don't get to the app.
    pub(crate) fn end_by(&mut self, keys: DetachKeys) {
        self.keys = Some(keys);
    }

    /// Whether they have come.
    pub(crate) fn is_detached(&self) -> bool {
        self.keys.as_ref().is_some_and(DetachKeys::have_come)
    }

    /// Nobody takes what the command writes: a terminal is hung up, which it holds open otherwise.
    pub(crate) fn hang_up(&mut self) {
        if self.is_terminal {
            self.target = None;
            self.pending.clear();
        }
    }

    /// Whether more of standard input is wanted.
    pub(crate) fn wants_input(&self) -> bool {
        !self.ended && self.pending.is_empty() && self.target.is_some()
    }

    /// The descriptor to wait for, if there is something to write to it.
    pub(crate) fn writable(&self) -> Option<BorrowedFd<'_>> {
        match &self.target {
            Some(target) if !self.pending.is_empty() => Some(target.as_fd()),
            _ => None,
        }
    }

    /// Reads from standard input, which is ready.
    pub(crate) fn read(&mut self) {
        let mut buffer = [0; CHUNK];
        // Past the buffer of the library: what is ready is what the kernel has.
        match nix::unistd::read(io::stdin().as_fd(), &mut buffer) {
            Ok(0) => self.end(),
            Ok(length) => {
                let typed = buffer.get(..length).unwrap_or_default();
                match &mut self.keys {
                    None => self.pending.extend(typed),
                    Some(keys) => self.pending.extend(keys.take(typed)),
                }
                self.in_line = !matches!(self.pending.back(), Some(b'\n' | b'\r' | &EOT));
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // The terminal is gone, or the like: no more input.
            Err(_) => self.end(),
        }
        self.write();
    }

    fn end(&mut self) {
        self.ended = true;
        if self.is_terminal {
            // The first one after an unfinished line ends just that.
            let times = 1 + usize::from(self.in_line);
            self.pending.extend(std::iter::repeat_n(EOT, times));
            self.told_in_line_mode = self.is_in_line_mode();
        } else if self.pending.is_empty() {
            self.target = None;
        }
    }

    /// The command has written something, such as a prompt: it may have to be told of the end again.
    pub(crate) fn command_wrote(&mut self) {
        if self.told_in_line_mode && !self.is_in_line_mode() {
            self.told_in_line_mode = false;
            self.pending.push_back(EOT);
            self.write();
        }
    }

    fn is_in_line_mode(&self) -> bool {
        let target = self.target.as_ref();
        target.is_some_and(|terminal| {
            tcgetattr(terminal).is_ok_and(|modes| modes.local_flags.contains(LocalFlags::ICANON))
        })
    }

    /// Writes what the command takes.
    pub(crate) fn write(&mut self) {
        while let Some(target) = self.target.as_mut().filter(|_| !self.pending.is_empty()) {
            let (chunk, _) = self.pending.as_slices();
            match target.write(chunk) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The command has closed its input.
                Err(_) => {
                    self.target = None;
                    self.pending.clear();
                }
            }
        }
        if self.ended && !self.is_terminal {
            self.target = None;
        }
    }
}

/// Most that a terminal is read of once its command has ended: more than it holds at once.
const TERMINAL_REST: usize = 256 << 10;

/// Output of the command on its way to us.
#[derive(Debug)]
pub(crate) struct Downstream {
    /// `None` at its end.
    source: Option<File>,
    is_terminal: bool,
    sink: Sink,
    /// What has been read and not yet been written.
    pending: VecDeque<u8>,
    /// How much more of it is wanted, if that is bounded.
    rest: Option<usize>,
    /// Why it could not be written to, if it was that.
    failure: Option<Errno>,
}

impl Downstream {
    /// From a pipe or a terminal.
    ///
    /// # Errors
    /// If the descriptor can't be made non-blocking.
    pub(crate) fn new(source: OwnedFd, is_terminal: bool, sink: Stream) -> Result<Self, Failure> {
        set_nonblocking(source.as_fd())?;
        Ok(Self {
            source: Some(File::from(source)),
            is_terminal,
            sink: Sink::of(sink),
            pending: VecDeque::new(),
            rest: None,
            failure: None,
        })
    }

    /// The descriptor to read from, until its end, when what was read before is written.
    pub(crate) fn readable(&self) -> Option<BorrowedFd<'_>> {
        let source = self.source.as_ref().filter(|_| self.pending.is_empty());
        source.map(AsFd::as_fd)
    }

    /// Where to write, if there is something to write.
    pub(crate) fn writable(&self) -> Option<&Sink> {
        (!self.pending.is_empty()).then_some(&self.sink)
    }

    /// The command has ended: what it has written by now is wanted, and nothing that others write there from now on.
    pub(crate) fn conclude(&mut self) {
        self.rest = match (&self.source, self.is_terminal) {
            (Some(pipe), false) => Some(readable_bytes(pipe).unwrap_or(0)),
            // The kernel doesn't tell all that is on the way through a terminal.
            (Some(_), true) => Some(TERMINAL_REST),
            (None, _) => Some(0),
        };
        if self.rest == Some(0) {
            self.source = None;
        }
    }

    /// Whether nothing more is to be done: at the end, or because nobody takes it.
    pub(crate) fn is_done(&self) -> bool {
        self.source.is_none() && self.pending.is_empty()
    }

    /// Reads what is there, up to one chunk, and writes what there is room for; whether something was read.
    pub(crate) fn moves(&mut self) -> bool {
        let Some(source) = self.source.as_mut().filter(|_| self.pending.is_empty()) else {
            return false;
        };
        let mut buffer = [0; CHUNK];
        let most = self.rest.unwrap_or(CHUNK).min(CHUNK);
        let room = buffer.get_mut(..most).unwrap_or_default();
        match source.read(room) {
            Ok(length) if length > 0 => {
                self.pending.extend(buffer.iter().take(length));
                self.rest = self.rest.map(|rest| rest.saturating_sub(length));
                if self.rest == Some(0) {
                    self.source = None;
                }
                self.write();
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => false,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.rest.is_some() {
                    // All that was there has been read.
                    self.source = None;
                }
                false
            }
            // The end. A terminal whose last user is gone says EIO.
            Ok(_) | Err(_) => {
                self.source = None;
                false
            }
        }
    }

    /// Writes what there is room for.
    pub(crate) fn write(&mut self) {
        let (chunk, _) = self.pending.as_slices();
        if chunk.is_empty() {
            return;
        }
        match self.sink.write(chunk) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => {
                if errno == Errno::EPIPE {
                    end_by_closed_pipe();
                }
                self.failure = Some(errno);
                // Nobody takes what the command writes: it is told.
                self.source = None;
                self.pending.clear();
            }
        }
    }

    /// Why a part of the output is lost, unless it is that its reader has gone.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let errno = self.failure?;
        match errno {
            Errno::EPIPE => None,
            Errno::EIO if self.sink.is_terminal() => None,
            _ => Some(Failure::errno("write to", self.sink.stream().name())(errno)),
        }
    }
}

/// This exit code, unless it would hide that a part of the output is lost.
///
/// # Errors
/// Why it is.
pub(crate) fn code_unless_lost(code: i32, downstreams: &[Downstream]) -> Result<u8, Failure> {
    match downstreams.iter().find_map(Downstream::failure) {
        Some(failure) if says_only_that_output_was_lost(code) => return Err(failure),
        Some(failure) => report::print(&failure),
        None => {}
    }
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

fn set_nonblocking(descriptor: BorrowedFd<'_>) -> Result<(), Failure> {
    let failed = |errno: Errno| Failure::Other(format!("cannot use a stream: {errno}"));
    let flags = fcntl(descriptor, FcntlArg::F_GETFL).map_err(failed)?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(descriptor, FcntlArg::F_SETFL(flags)).map_err(failed)?;
    Ok(())
}

/// Whether poll(2) said that there is something to read, or an end to see.
pub(crate) fn has_input(events: Option<PollFlags>) -> bool {
    events.is_some_and(|events| {
        events.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_forwarding_the_command_sees_the_end_of_its_input() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let upstream = Upstream::new(writer, false, false).unwrap();
        assert!(!upstream.wants_input());
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
    }

    #[test]
    fn of_what_goes_on_after_the_end_only_that_is_wanted_which_was_there_then() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut writer = File::from(writer);
        writer.write_all(b"in time").unwrap();
        let mut downstream = Downstream::new(reader, false, Stream::Stderr).unwrap();
        downstream.conclude();
        writer.write_all(b" and too late").unwrap();
        assert_eq!(downstream.rest, Some(7));
        while !downstream.is_done() {
            downstream.moves();
            downstream.write();
        }
        assert!(
            writer
                .write(b"!")
                .is_err_and(|error| error.kind() == ErrorKind::BrokenPipe)
        );
    }

    #[test]
    fn a_full_pipe_keeps_what_it_does_not_take() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut upstream = Upstream::new(writer, false, true).unwrap();
        upstream.pending.extend(std::iter::repeat_n(b'x', 1 << 20));
        upstream.write();
        assert!(upstream.writable().is_some() && !upstream.wants_input());
        upstream.ended = true;
        let total = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            File::from(reader).read_to_end(&mut bytes).unwrap();
            bytes.len()
        });
        while upstream.target.is_some() {
            upstream.write();
        }
        assert_eq!(total.join().unwrap(), 1 << 20);
    }
}
