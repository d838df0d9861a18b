//! Commands that nobody waits for any more: they are asked to end, and killed after a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::app::launch::RunningCommand;
use crate::sys;

/// Their process groups, which are called as their first processes, and when they are killed.
#[derive(Debug, Default)]
pub(super) struct Abandoned(BTreeMap<i32, Instant>);

impl Abandoned {
    /// Asks a command to end, as the end of its terminal or of a session does.
    pub(super) fn add(&mut self, command: &RunningCommand, grace: Duration) {
        let group = command.process.pid;
        let asks = match command.terminal {
            Some(_) => Signal::SIGHUP,
            None => Signal::SIGTERM,
        };
        send(group, asks);
        // What is stopped hears nothing.
        send(group, Signal::SIGCONT);
        if let Some(at) = Instant::now().checked_add(grace) {
            self.0.insert(group, at);
        }
    }

    /// A command has ended: its group is forgotten, unless there is more of it. Only then is its number still taken.
    pub(super) fn ended(&mut self, pid: i32) {
        if self.0.contains_key(&pid) && sys::send_signal(-pid, 0).is_err() {
            self.0.remove(&pid);
        }
    }

    /// When [`Abandoned::kill_overdue`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Kills those that have not ended in time.
    pub(super) fn kill_overdue(&mut self, now: Instant) {
        for (group, _) in self.0.extract_if(.., |_, at| *at <= now) {
            send(group, Signal::SIGKILL);
        }
    }
}

fn send(group: i32, signal: Signal) {
    // One that is gone already is what was wanted.
    let _ = sys::send_signal(-group, signal as i32);
}
