//! Commands whose clients have left. They go on: what they write is read and thrown away, by one
//! thread for all.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::io::Errno;

use crate::link::wait_for;
use crate::outlet::Outlet;
use crate::process::ProcessControl;

/// How many are kept. Beyond, whoever has most of them loses its oldest one's streams, so that
/// nobody can push out those of others.
const MOST: usize = 256;

/// A command, what it still reads, and where its output comes from.
pub(super) struct Command {
    /// In which container it is.
    pub(super) owner: String,
    pub(super) stdin: Outlet,
    pub(super) outputs: Vec<OwnedFd>,
    pub(super) control: Box<dyn ProcessControl>,
}

/// Takes commands until it is dropped; then they lose their streams.
pub(crate) struct Abandoned {
    given: Mutex<Vec<Command>>,
    /// Counts up when one was given.
    wake: OwnedFd,
}

impl Abandoned {
    /// One, without its thread, which runs [`Self::serve`].
    pub(crate) fn new() -> std::io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            given: Mutex::new(Vec::new()),
            wake,
        })
    }

    pub(super) fn take_over(&self, command: Command) {
        self.given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(command);
        // It fails only when it has been counted up 2^64 times.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Reads what they write until `stop` is readable.
    pub(crate) fn serve(&self, stop: impl AsFd) {
        let mut commands: VecDeque<Command> = VecDeque::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let mut polled = vec![
                PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            ];
            for command in &commands {
                let outputs = command.outputs.iter().map(AsFd::as_fd);
                let all = outputs.chain(command.control.descriptor());
                polled.extend(all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
                let stdin = command.stdin.descriptor();
                polled.extend(stdin.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
            }
            if wait_for(&mut polled, None).is_err() {
                // Without memory in the kernel there is nothing better than to try again.
                thread::yield_now();
            }
            if polled
                .first()
                .is_some_and(|stop| !stop.revents().is_empty())
            {
                return;
            }
            drop(polled);
            for command in &mut commands {
                command.stdin.write();
                command
                    .outputs
                    .retain(|output| is_open(output, &mut buffer));
            }
            commands.retain_mut(|command| {
                // One of which nobody tells the end is over when it has nothing more to write.
                let silent = command.control.descriptor().is_none() && command.outputs.is_empty();
                command.control.ended().is_none() && !silent
            });
            // What was counted doesn't matter.
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
            let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
            commands.extend(given.drain(..));
            drop(given);
            while let Some(excess) = excess(commands.iter().map(|command| &*command.owner)) {
                commands.remove(excess);
            }
        }
    }
}

/// Which of these, the oldest first, has to go, if there are too many.
fn excess<'a>(owners: impl ExactSizeIterator<Item = &'a str> + Clone) -> Option<usize> {
    if owners.len() <= MOST {
        return None;
    }
    let mut counts = BTreeMap::<_, usize>::new();
    for owner in owners.clone() {
        *counts.entry(owner).or_default() += 1;
    }
    let most = counts.values().max().copied();
    // Of several that have as many, the one with the oldest.
    let mut owners = owners;
    owners.position(|owner| counts.get(owner).copied() == most)
}

/// Reads once, so that one that writes without end doesn't keep the others waiting.
fn is_open(output: &OwnedFd, buffer: &mut [u8]) -> bool {
    match rustix::io::read(output, buffer) {
        Ok(0) => false,
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_most_loses_the_oldest() {
        let one = std::iter::once("one").chain(vec!["most"; MOST]);
        let owners: Vec<_> = one.collect();
        assert_eq!(excess(owners.iter().copied().skip(1)), None);
        assert_eq!(excess(owners.iter().copied()), Some(1));
        let same = vec!["same"; MOST + 1];
        assert_eq!(excess(same.iter().copied()), Some(0));
    }
}
