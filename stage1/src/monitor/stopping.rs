//! The pod is asked to end.

use std::time::{Duration, Instant};

use pod::control::EventKind;
use rustix::process::{Signal, pidfd_send_signal};
use supervisor::Event;

use super::event_loop::Monitor;
use super::isolator::Isolator;
use crate::failure::StartFailure;
use crate::protocol::ToInit;

/// What apps have beyond the grace period that get their signal only when it is over.
const OF_SIDECARS: Duration = Duration::from_secs(3);

impl Monitor {
    /// Ends the pod. Its apps have so long between their stop signal and SIGKILL.
    pub(super) fn stop(
        &mut self,
        grace: Duration,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        if !std::mem::replace(&mut self.stop_requested, true) {
            self.emit(None, EventKind::Stopping);
        }
        // What is frozen hears nothing.
        self.resume_all(isolator)?;
        if self.init_is_dead {
            self.give_up_output = true;
            return Ok(());
        }
        if self.supervision.is_some() && self.started.is_some() {
            self.kill_init_soon(grace.saturating_add(OF_SIDECARS), isolator);
            return self.supervise(Event::StopPod { grace }, isolator);
        }
        self.kill_init_soon(grace, isolator);
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.tell_init(&ToInit::Stop { grace_ms })
    }

    /// Pod init is killed if it has not ended the pod a while after so long.
    pub(super) fn kill_init_soon(&mut self, grace: Duration, isolator: &dyn Isolator) {
        let slack = isolator.slack();
        let at = Instant::now().checked_add(grace.saturating_add(slack));
        // A later stop can only shorten the time that is left.
        self.kill_init_at = match (self.kill_init_at, at) {
            (Some(earlier), Some(at)) => Some(earlier.min(at)),
            (earlier, at) => at.or(earlier),
        };
    }

    /// Why pod init's process ended without having said so.
    pub(super) fn why_killed(&self, isolator: &dyn Isolator) -> StartFailure {
        if !self.was_out_of_time || isolator.was_out_of_memory() {
            return isolator.explain_kill();
        }
        let what = isolator.init_process();
        let seconds = isolator.slack().as_secs();
        let since = match self.stop_requested {
            true => "its grace period, as it was told to stop",
            false => "its apps",
        };
        self.interrupted(StartFailure::other(format!(
            "{what} was killed: the pod had not ended {seconds} s after the end of {since}"
        )))
    }

    /// Kills pod init's process.
    pub(super) fn kill_init(&self) {
        // If that fails it is dead already.
        let _ = pidfd_send_signal(&self.init_pidfd, Signal::KILL);
    }

    /// The same, if all has been said and heard and its own end would bring nothing more: a machine takes a while to power
    /// off.
    pub(super) fn kill_init_that_is_done(&self, isolator: &dyn Isolator) {
        let is_over = self.end.is_some() && self.init.has_ended() && !self.init_is_dead;
        if is_over && isolator.is_done_when_all_is_said() {
            self.kill_init();
        }
    }
}
