//! How pod init ends everything that runs in the pod.
//!
//! Mostly it is process 1 of a pid namespace, and the kernel ends all others with it. In a pod that isn't kept apart from the
//! host, it is one of the host's processes: then the cgroups of the apps say what is the pod's, and pod init outlives the
//! monitor for as long as it takes to end that.

use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{getpid, set_child_subreaper, set_parent_process_death_signal};

use super::event_loop::Pod;
use crate::failure::StartFailure;
use crate::sys;

const SIGKILL: i32 = Signal::SIGKILL as i32;

/// What is in pod init's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All processes of its pid namespace: it is process 1.
    PidNamespace,
    /// What is in the cgroups of the apps.
    Cgroups,
}

impl Reach {
    /// That of this process.
    pub(super) fn own() -> Self {
        match getpid().is_init() {
            true => Self::PidNamespace,
            false => Self::Cgroups,
        }
    }

    /// Makes sure that nothing of the pod is out of reach, however it ends. The monitor is there still, or has been until
    /// just now.
    pub(super) fn secure(self) -> Result<(), StartFailure> {
        if self == Self::PidNamespace {
            return Ok(());
        }
        let failed = StartFailure::os("prepare pod init");
        // What loses its parent is reaped here. From here on the end of the link tells that the monitor is gone.
        set_child_subreaper(Some(getpid()))
            .and_then(|()| set_parent_process_death_signal(None))
            .map_err(failed)
    }
}

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
