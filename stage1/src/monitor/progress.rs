//! What a service manager is told of the pod.

use std::time::{Duration, Instant};

use pod::processes::is_stopped;

use super::caller::{Caller, Progress};
use super::event_loop::{INIT_GRACE, Monitor};
use super::records::AppRecord;
use crate::link::process::pid_of;

/// The exit code by which shells tell of SIGTERM.
const TERMINATED: i32 = 128 + 15;

impl Monitor {
    /// Tells whoever has started the monitor how the pod fares.
    pub(super) fn tell_caller(&mut self, caller: &mut Caller) {
        let is_up = self.is_up();
        if is_up {
            caller.is_up();
        }
        if !caller.listens() {
            return;
        }
        let now = Instant::now();
        let ends = self.stop_requested || self.supervised_end() || self.init_is_dead;
        let progress = Progress {
            is_up: is_up && !self.init_is_dead,
            ends: ends.then(|| self.time_to_end(now)),
            status: self.status_line(ends),
            // Looked at only then: it takes a file of `/proc`.
            is_alive: !caller.is_ping_due(now) || self.is_alive(),
            reloads: self.reloads,
            is_reloading: false,
        };
        caller.tell(progress, now);
    }

    /// How long the pod takes to end at most.
    fn time_to_end(&self, now: Instant) -> Duration {
        let left = self
            .kill_init_at
            .map(|at| at.saturating_duration_since(now));
        left.unwrap_or(self.manifest.grace_period())
            .saturating_add(INIT_GRACE)
    }

    /// Whether pod init can do something, and no app runs that was found dead.
    fn is_alive(&self) -> bool {
        let is_init_stopped = pid_of(&self.init_pidfd).is_some_and(is_stopped);
        let is_dead = |app: &AppRecord| app.is_condemned && app.is_running();
        !is_init_stopped && !self.apps.iter().any(is_dead)
    }

    /// What the pod does, for people.
    fn status_line(&self, ends: bool) -> String {
        let running = self.apps.iter().filter(|app| app.is_running());
        if ends {
            let names = listed(running);
            return match names.is_empty() {
                true => "stopping".to_owned(),
                false => format!("stopping: {names} still there"),
            };
        }
        let unready = self.apps.iter().filter(|app| app.ready == Some(false));
        let unready = listed(unready.filter(|app| app.end.is_none() || app.next_start.is_some()));
        let phase = match self.is_up() {
            true => "running",
            false => "starting",
        };
        match unready.is_empty() {
            true => phase.to_owned(),
            false => format!("{phase}: {unready} not ready"),
        }
    }

    /// Whether a pod with this exit code has ended as it was asked to: by the signal that was to end it.
    pub(super) fn has_ended_as_asked(&self, exit_code: i32) -> bool {
        if self
            .passed_on
            .is_some_and(|signal| exit_code == 128 + signal)
        {
            return true;
        }
        let is_stop_signal = |app: &AppRecord| {
            let spec = self.manifest.app(&app.name);
            spec.is_some_and(|spec| exit_code == 128 + spec.stop_signal.number())
        };
        self.stop_requested && (exit_code == TERMINATED || self.apps.iter().any(is_stop_signal))
    }
}

/// Apps in a sentence.
fn listed<'a>(apps: impl Iterator<Item = &'a AppRecord>) -> String {
    /// Most that are named.
    const SHOWN: usize = 5;
    let names: Vec<&str> = apps.map(|app| app.name.as_str()).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    match names.get(..SHOWN).filter(|_| names.len() > SHOWN) {
        _ if names.is_empty() => String::new(),
        None => format!("{} {is}", names.join(", ")),
        Some(first) => {
            let more = names.len().saturating_sub(SHOWN);
            format!("{} and {more} more are", first.join(", "))
        }
    }
}
