//! What a session with an app waits for, and what of it has come.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use pod::seqpacket::SeqPacket;

use crate::console::output::Stream;
use crate::sys::is_ignored;
use crate::terminal::pump::{Downstream, Upstream, has_input};
use crate::wording::failure::Failure;

/// A descriptor for these signals, as far as the caller does not ignore them, and for changes of the window's size.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn watch_signals(signals: &[Signal]) -> Result<SignalFd, Failure> {
    let failed = |errno: Errno| Failure::Other(format!("cannot watch signals: {errno}"));
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGWINCH);
    // What the caller ignores does nothing here either.
    watched.extend(
        signals
            .iter()
            .copied()
            .filter(|signal| !is_ignored(*signal)),
    );
    watched.thread_block().map_err(failed)?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&watched, flags).map_err(failed)
}

/// What a descriptor that is waited for is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The monitor says something.
    Connection,
    Signals,
    /// The standard input.
    Input,
    ToApp,
    /// The output of this number.
    FromApp(usize),
    /// The standard stream that shows the output of this number.
    ToUs(usize),
}

/// All that a session can wait for.
pub(crate) struct Waiting<'a> {
    /// None once the end is known: then nothing goes in any more, either.
    pub(crate) connection: Option<&'a SeqPacket>,
    pub(crate) signals: Option<&'a SignalFd>,
    pub(crate) upstream: &'a Upstream,
    pub(crate) downstreams: &'a [Downstream],
    /// When it is no longer waited.
    pub(crate) until: Option<Instant>,
}

impl Waiting<'_> {
    /// Waits until something can be done.
    ///
    /// # Errors
    /// If it can't be waited for.
    pub(crate) fn wait(&self) -> Result<Vec<Role>, Failure> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let mut roles: Vec<(Role, BorrowedFd<'_>, PollFlags)> = Vec::new();
        if let Some(signals) = self.signals {
            roles.push((Role::Signals, signals.as_fd(), PollFlags::POLLIN));
        }
        if let Some(connection) = self.connection {
            roles.push((Role::Connection, connection.as_fd(), PollFlags::POLLIN));
            if self.upstream.wants_input() {
                roles.push((Role::Input, stdin.as_fd(), PollFlags::POLLIN));
            }
            if let Some(target) = self.upstream.writable() {
                roles.push((Role::ToApp, target, PollFlags::POLLOUT));
            }
        }
        for (at, downstream) in self.downstreams.iter().enumerate() {
            if let Some(sink) = downstream.writable() {
                let fd = sink.own().unwrap_or(match sink.stream() {
                    Stream::Stdout => stdout.as_fd(),
                    Stream::Stderr => stderr.as_fd(),
                });
                roles.push((Role::ToUs(at), fd, PollFlags::POLLOUT));
            }
            if let Some(source) = downstream.readable() {
                roles.push((Role::FromApp(at), source, PollFlags::POLLIN));
            }
        }
        let mut descriptors: Vec<_> = roles
            .iter()
            .map(|(_, descriptor, events)| PollFd::new(*descriptor, *events))
            .collect();
        match poll(&mut descriptors, self.timeout()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::Other(format!("cannot wait: {errno}"))),
        }
        let is_ready = |role: Role, events: Option<PollFlags>| match role {
            Role::ToApp | Role::ToUs(_) => events.is_some_and(|events| !events.is_empty()),
            _ => has_input(events),
        };
        Ok(roles
            .iter()
            .zip(&descriptors)
            .filter(|((role, ..), descriptor)| is_ready(*role, descriptor.revents()))
            .map(|((role, ..), _)| *role)
            .collect())
    }

    fn timeout(&self) -> PollTimeout {
        self.until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now());
            let left = left.saturating_add(Duration::from_millis(1));
            left.try_into().unwrap_or(PollTimeout::MAX)
        })
    }
}
