//! A multiplexed connection and the local ends of its streams: what moves bytes between descriptors and the
//! [`super::multiplex`], in somebody's poll(2) loop, without ever waiting.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::rand::{GetRandomFlags, getrandom};

use super::LinkError;
use super::frames::Nonce;
use super::multiplex::{Limits, Multiplexer, Side};
use super::stream::{StreamId, StreamKind};

/// Most bytes that are read of the connection at once.
const READ: usize = 64 << 10;
/// How long to rest where a serial port has nobody at its other end yet: the kernel has no event for that.
const NOBODY_YET: Duration = Duration::from_millis(1);

/// The local end of a stream.
#[derive(Debug)]
pub(super) enum End {
    /// What is read here goes to the other side.
    Source(OwnedFd),
    /// What comes from the other side is written here.
    Sink(OwnedFd),
    /// Both: a terminal, or a socket that stands for one.
    Terminal(OwnedFd),
}

impl End {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Source(fd) | Self::Sink(fd) | Self::Terminal(fd) => fd.as_fd(),
        }
    }

    fn reads(&self) -> bool {
        matches!(self, Self::Source(_) | Self::Terminal(_))
    }

    fn writes(&self) -> bool {
        matches!(self, Self::Sink(_) | Self::Terminal(_))
    }
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// Whether it is a port of a machine, which may have nobody at its other end yet.
    is_port: bool,
    multiplexer: Multiplexer,
    ends: BTreeMap<StreamId, End>,
    /// Nothing more comes.
    is_gone: bool,
    /// Nobody takes more.
    is_deaf: bool,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interest {
    Connection(PollFlags),
    End(StreamId, PollFlags),
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, side: Side, limits: Limits) -> Result<Self, LinkError> {
        let set_up = LinkError::system::<Errno>;
        let socket = quick(socket)?;
        let stat = fstat(&socket).map_err(set_up("look at the link"))?;
        let mut nonce = Nonce::default();
        // It has to be new, not secret: a machine that has just started has no good numbers yet.
        getrandom(&mut nonce, GetRandomFlags::INSECURE).map_err(set_up("name the link"))?;
        Ok(Self {
            socket,
            is_port: FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice,
            multiplexer: Multiplexer::new(side, limits, nonce),
            ends: BTreeMap::new(),
            is_gone: false,
            is_deaf: false,
        })
    }

    /// Speaks over another socket from now on, if the other side has not answered: nothing but a hello was sent, which may
    /// be lost.
    pub(super) fn begin_again(&mut self, socket: OwnedFd) -> Result<(), LinkError> {
        if self.has_begun() {
            return Err(LinkError::Protocol("it has begun already".to_owned()));
        }
        self.socket = quick(socket)?;
        self.is_gone = false;
        self.is_deaf = false;
        Ok(())
    }

    pub(super) fn open(&mut self, kind: StreamKind) -> Result<StreamId, LinkError> {
        self.multiplexer
            .open(kind)
            .map_err(LinkError::system("open a stream"))
    }

    /// Which way the bytes of a stream go that the other side has opened and no message has named before.
    pub(super) fn unclaimed(&self, id: StreamId) -> Option<StreamKind> {
        let is_new = self.multiplexer.is_unclaimed(id);
        self.multiplexer.kind(id).filter(|_| is_new)
    }

    /// Gives a stream its local end, which must not block.
    pub(super) fn attach(&mut self, id: StreamId, end: End) {
        self.multiplexer.claim(id);
        self.ends.insert(id, end);
        self.close_ends();
    }

    /// Whether it has begun, and there are no streams.
    #[cfg(test)]
    pub(super) fn is_quiet(&self) -> bool {
        self.multiplexer.has_begun() && self.multiplexer.streams().is_empty()
    }

    /// For who wants to be woken at once.
    pub(super) fn always_ready(&self) -> (BorrowedFd<'_>, PollFlags) {
        (self.socket.as_fd(), PollFlags::POLLOUT)
    }

    /// Neither sends nor takes anything more on a stream.
    pub(super) fn abandon(&mut self, id: StreamId) {
        self.ends.remove(&id);
        self.multiplexer.stop(id);
        self.multiplexer.finish(id);
    }

    pub(super) fn send(&mut self, message: &[u8]) -> Result<(), LinkError> {
        if self.is_gone || self.is_deaf {
            return Err(LinkError::Gone);
        }
        self.multiplexer.send_message(message).map_err(protocol)?;
        self.write_out();
        Ok(())
    }

    /// Sends a message behind what has been moved by now.
    pub(super) fn send_after_data(&mut self, message: &[u8]) -> Result<(), LinkError> {
        if self.is_gone || self.is_deaf {
            return Err(LinkError::Gone);
        }
        let sent = self.multiplexer.send_message_after_data(message);
        sent.map_err(protocol)?;
        self.write_out();
        Ok(())
    }

    /// How many bytes wait at the local end of a stream to be read.
    pub(super) fn waiting(&self, id: StreamId) -> u64 {
        let end = self.ends.get(&id).filter(|end| end.reads());
        end.and_then(|end| ioctl_fionread(end.fd()).ok())
            .unwrap_or(0)
    }

    /// Moves so many bytes of what waits there, as far as the other side takes them. Gives how many are left.
    pub(super) fn exhaust(&mut self, id: StreamId, mut left: u64) -> u64 {
        while left > 0 {
            let room = self.multiplexer.room(id);
            if self.waiting(id) == 0 {
                return 0;
            }
            if room == 0 {
                return left;
            }
            self.serve(id, PollFlags::POLLIN);
            let moved = room.saturating_sub(self.multiplexer.room(id));
            left = left.saturating_sub(moved.max(1) as u64);
        }
        0
    }

    /// Writes to the local end of a stream what has come on it. Whether nothing is left.
    pub(super) fn is_flushed(&mut self, id: StreamId) -> bool {
        self.flush(id);
        !self.ends.contains_key(&id) || self.multiplexer.held(id).is_empty()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Whether the other side has said hello.
    pub(super) fn has_begun(&self) -> bool {
        self.multiplexer.has_begun()
    }

    /// Whether the other side says nothing more.
    pub(super) fn other_has_ended(&self) -> bool {
        self.multiplexer.other_has_ended()
    }

    /// Whether something has come on a stream that its local end has not taken yet.
    pub(super) fn holds_output(&self) -> bool {
        let mut streams = self.multiplexer.streams().into_iter();
        streams.any(|id| !self.multiplexer.held(id).is_empty())
    }

    /// What to wait for with poll(2), in the order of [`Self::advance`].
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let fd = |wish: Interest| match wish {
            Interest::Connection(flags) => Some((self.socket.as_fd(), flags)),
            Interest::End(id, flags) => Some((self.ends.get(&id)?.fd(), flags)),
        };
        self.wishes().into_iter().filter_map(fd).collect()
    }

    fn wishes(&self) -> Vec<Interest> {
        let mut wishes = Vec::new();
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, self.multiplexer.wants_input());
        let writes = self.multiplexer.has_to_send() && !self.is_deaf;
        flags.set(PollFlags::POLLOUT, writes);
        if !self.is_gone && !flags.is_empty() {
            wishes.push(Interest::Connection(flags));
        }
        for id in self.multiplexer.streams() {
            let Some(end) = self.ends.get(&id) else {
                continue;
            };
            let mut flags = PollFlags::empty();
            let reads = end.reads() && self.multiplexer.room(id) > 0;
            flags.set(PollFlags::POLLIN, reads);
            let writes = end.writes() && !self.multiplexer.held(id).is_empty();
            flags.set(PollFlags::POLLOUT, writes);
            // A pipe that nobody reads any more says so unasked.
            if !flags.is_empty() || matches!(end, End::Sink(_)) {
                wishes.push(Interest::End(id, flags));
            }
        }
        wishes
    }

    /// Moves what can be moved, and gives the messages that came. `ready` answers [`Self::interests`] one by one.
    ///
    /// # Errors
    /// If the other side doesn't keep to the rules.
    pub(super) fn advance(&mut self, ready: &[bool]) -> Result<Vec<Vec<u8>>, LinkError> {
        let wishes = self.wishes();
        let mut result = Ok(());
        for (wish, _) in wishes.iter().zip(ready).filter(|(_, ready)| **ready) {
            match *wish {
                Interest::Connection(flags) => {
                    if flags.contains(PollFlags::POLLIN) {
                        result = self.read_in().map(|_| ());
                    }
                }
                Interest::End(id, flags) => self.serve(id, flags),
            }
        }
        self.close_ends();
        self.write_out();
        result?;
        Ok(std::iter::from_fn(|| self.multiplexer.next_message()).collect())
    }

    /// Everything that came until now, when the other side has ended.
    pub(super) fn last_words(&mut self) -> Result<Vec<Vec<u8>>, LinkError> {
        let mut words = Vec::new();
        while !self.is_gone {
            let came = self.read_in()?;
            words.extend(std::iter::from_fn(|| self.multiplexer.next_message()));
            if !came {
                break;
            }
        }
        self.cut_off();
        self.close_ends();
        Ok(words)
    }

    /// Reads what came. `false` if there is nothing at present.
    fn read_in(&mut self) -> Result<bool, LinkError> {
        let mut buffer = [0; READ];
        match read(&self.socket, &mut buffer) {
            Ok(0) if self.is_port && !self.multiplexer.has_begun() => {
                std::thread::sleep(NOBODY_YET);
                Ok(false)
            }
            Ok(0) | Err(Errno::CONNRESET | Errno::PIPE) => {
                self.cut_off();
                Ok(false)
            }
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                let received = self.multiplexer.receive(bytes);
                received.map_err(protocol)?;
                Ok(true)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(false),
            Err(errno) => Err(LinkError::system("read the link")(errno)),
        }
    }

    fn cut_off(&mut self) {
        self.is_gone = true;
        self.multiplexer.cut_off();
    }

    fn write_out(&mut self) {
        while !self.is_deaf {
            let bytes = self.multiplexer.to_send();
            if bytes.is_empty() {
                return;
            }
            match write(&self.socket, bytes) {
                Ok(count) => self.multiplexer.sent(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It may have said something before: that is still there to be read.
                Err(_) => self.is_deaf = true,
            }
        }
    }

    /// Moves bytes of one stream.
    fn serve(&mut self, id: StreamId, flags: PollFlags) {
        let Some(end) = self.ends.get(&id) else {
            return;
        };
        let mut is_broken = false;
        if flags.contains(PollFlags::POLLIN) {
            let mut buffer = [0; READ];
            let room = self.multiplexer.room(id).min(READ);
            let space = buffer.get_mut(..room).unwrap_or_default();
            match read(end.fd(), space) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                Ok(0) | Err(_) => is_broken = true,
                Ok(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.multiplexer.send(id, bytes);
                }
            }
        }
        if is_broken {
            match (end, self.side_is_monitor()) {
                // Its input may have ended while somebody still reads.
                (End::Terminal(_), true) => self.demote(id),
                _ => {
                    self.ends.remove(&id);
                    self.multiplexer.finish(id);
                }
            }
            return;
        }
        match (flags.contains(PollFlags::POLLOUT), end) {
            (true, _) => self.flush(id),
            // Nothing was asked of it: it says that nobody reads it.
            (false, End::Sink(_)) => {
                self.ends.remove(&id);
                self.multiplexer.stop(id);
            }
            (false, _) => {}
        }
    }

    /// Nothing more goes to a terminal, but something may still come from it.
    fn demote(&mut self, id: StreamId) {
        if let Some(End::Terminal(fd)) = self.ends.remove(&id) {
            self.ends.insert(id, End::Sink(fd));
        }
        self.multiplexer.finish(id);
    }

    fn side_is_monitor(&self) -> bool {
        self.multiplexer.side() == Side::Monitor
    }

    fn flush(&mut self, id: StreamId) {
        while let Some(end) = self.ends.get(&id) {
            let held = self.multiplexer.held(id);
            if held.is_empty() {
                return;
            }
            match write(end.fd(), held) {
                Ok(count) => self.multiplexer.take(id, count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if !has_hung_up(end.fd()) => return,
                Err(_) => {
                    self.multiplexer.stop(id);
                    if let End::Sink(_) = end {
                        self.ends.remove(&id);
                    }
                    return;
                }
            }
        }
    }

    /// Closes the ends of what is over.
    fn close_ends(&mut self) {
        for id in self.multiplexer.streams() {
            let stopped = self.multiplexer.was_stopped(id);
            let over = self.multiplexer.is_over(id);
            match self.ends.get(&id) {
                Some(End::Sink(_)) if over => {
                    self.ends.remove(&id);
                }
                // Pod init has closed the terminal, or the monitor its end of it.
                Some(End::Terminal(_)) if over => {
                    self.ends.remove(&id);
                    self.multiplexer.finish(id);
                }
                // What it had written is still on the way to who reads it.
                Some(End::Terminal(_)) if stopped && self.side_is_monitor() => self.demote(id),
                // A message may still name it.
                None if self
                    .unclaimed(id)
                    .is_some_and(|kind| kind != StreamKind::Terminal) => {}
                _ if stopped => {
                    self.ends.remove(&id);
                    self.multiplexer.finish(id);
                }
                _ => {}
            }
        }
        let open = self.multiplexer.streams();
        self.ends.retain(|id, _| open.contains(id));
    }

    /// Waits for the next thing to happen, and deals with it.
    pub(super) fn turn(&mut self) -> Result<Vec<Vec<u8>>, LinkError> {
        let ready: Vec<bool> = {
            let interests = self.interests().into_iter();
            let mut fds: Vec<_> = interests
                .map(|(fd, flags)| PollFd::new(fd, flags))
                .collect();
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(LinkError::system("wait for the link")(errno)),
            }
            fds.iter().map(|fd| fd.any().unwrap_or(false)).collect()
        };
        self.advance(&ready)
    }

    /// Sends all that the sources still have, and waits until the other side has read it. For the end, when nothing that
    /// could write to them is left.
    pub(super) fn drain(&mut self) -> Result<(), LinkError> {
        while !self.is_gone && !self.is_deaf {
            let has_sources = self.ends.values().any(End::reads);
            if !has_sources {
                self.multiplexer.end();
                self.write_out();
            }
            if self.multiplexer.other_has_ended() {
                break;
            }
            self.turn()?;
        }
        Ok(())
    }
}

fn quick(socket: OwnedFd) -> Result<OwnedFd, LinkError> {
    fcntl_getfl(&socket)
        .and_then(|flags| fcntl_setfl(&socket, flags.union(OFlags::NONBLOCK)))
        .map_err(LinkError::system::<Errno>("set up the link"))?;
    Ok(socket)
}

fn protocol(error: impl std::fmt::Display) -> LinkError {
    LinkError::Protocol(error.to_string())
}

/// Whether nobody is at the other end any more, of what is full.
fn has_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    // What can't be looked at is of no use.
    poll(&mut fds, PollTimeout::ZERO).map_or(true, |count| count > 0)
}

#[cfg(test)]
mod tests;
