//! What a service manager is told of the pod.

use std::time::{Duration, Instant};

use pod::processes::is_stopped;

use super::caller::{Caller, Progress};
use super::event_loop::Monitor;
use super::isolator::SLACK;
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
        let now = Instant::now();
        self.keep_registered(is_up, now);
        if !caller.listens() {
            return;
        }
        let ends = self.stop_requested
            || self.supervised_end()
            || self.init_is_dead
            || self.app_notify.are_stopping();
        let progress = Progress {
            is_up: is_up && !self.init_is_dead,
            ends: ends.then(|| self.time_to_end(now)),
            status: self.status_line(ends),
            // Looked at only then: it takes a file of `/proc`.
            is_alive: !caller.is_ping_due(now) || self.is_alive(caller.watchdog(), now),
            is_dead: self.app_notify.are_dead(),
            errno: self.app_notify.errno(),
            reloads: self.reloads,
            is_reloading: self.app_notify.are_reloading(),
        };
        caller.tell(progress, now);
    }

    /// Registers a pod that is up, and looks after that.
    fn keep_registered(&mut self, is_up: bool, now: Instant) {
        if is_up && !self.init_is_dead && self.registration.is_wanted() {
            let leader = pid_of(&self.init_pidfd);
            self.registration.begin(&self.manifest, leader, now);
        }
        self.registration.keep_time(now);
    }

    /// How long the pod takes to end at most.
    fn time_to_end(&self, now: Instant) -> Duration {
        let left = self
            .kill_init_at
            .map(|at| at.saturating_duration_since(now));
        left.unwrap_or(self.manifest.grace_period())
            .saturating_add(SLACK)
    }

    /// Whether pod init can do something, and no app runs that was found dead, or has stopped to say that it is not: each has to,
    /// once it has begun, within the time of the watchdog.
    fn is_alive(&self, watchdog: Option<Duration>, now: Instant) -> bool {
        let is_init_stopped = pid_of(&self.init_pidfd).is_some_and(is_stopped);
        let is_dead = |app: &AppRecord| app.is_condemned && app.is_running();
        let is_silent = watchdog.is_some_and(|time| self.app_notify.are_silent(time, now));
        !is_init_stopped && !is_silent && !self.apps.iter().any(is_dead)
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
        let unready = match unready.is_empty() {
            true => String::new(),
            false => format!("{unready} not ready"),
        };
        let parts = [unready, self.app_notify.statuses()];
        let parts: Vec<&str> = parts
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        match parts.is_empty() {
            true => phase.to_owned(),
            false => format!("{phase}: {}", parts.join("; ")),
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
