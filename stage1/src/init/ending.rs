//! How pod init ends everything that runs in the pod.

use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::event_loop::Pod;
use super::reach::Reach;
use crate::sys;

const SIGKILL: i32 = Signal::SIGKILL as i32;

impl Pod {
    /// SIGKILL to everything that runs.
    pub(super) fn kill_everything(&self) {
        match self.reach {
            // Everything in this pid namespace but pid 1. What is gone already is what was wanted.
            Reach::PidNamespace => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            Reach::Cgroups => {
                for app in self.apps.values() {
                    let _ = sys::send_signal(app.process.pid, SIGKILL);
                    app.seat.kill_all();
                }
            }
        }
    }

    /// Ends what is left of the apps where the kernel doesn't do that, and waits for it, though not for ever.
    pub(super) fn leave_nothing(&mut self) {
        if self.reach == Reach::PidNamespace {
            return;
        }
        let running = std::mem::take(&mut self.apps).into_values();
        let early = std::mem::take(&mut self.early_ends).into_iter();
        let all = running.chain(early.map(|(app, _)| app));
        for app in all.chain(self.starts.end_all()) {
            let _ = sys::send_signal(app.process.pid, SIGKILL);
            self.leftovers.kill(app.into_seat());
        }
        while let Some(next) = self.leftovers.deadline() {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            // Nobody wants to know any more how they ended.
            while let Ok(Some(_)) = sys::reap() {}
            self.leftovers.look_again(Instant::now());
        }
    }
}
