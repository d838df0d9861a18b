//! Who has started the monitor, and is told how the pod fares: a command that waits for its start, a service manager that
//! looks after it (sd_notify(3)), both, or nobody.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pod::exit::FailureKind;
use rustix::io::Errno;
use systemd::{Message, NotifySocket, ServiceManager};

use super::report::{report_started, report_unless_told};
use crate::failure::StartFailure;
use crate::timing::monotonic_microseconds;

/// How long a message waits that the manager has no room for.
const RETRY: Duration = Duration::from_millis(100);
/// Time between two statuses, where nothing else has to be told: apps may have new ones again and again.
const STATUS_PERIOD: Duration = Duration::from_millis(250);
/// Most messages that wait. Who reads none of them for so long is not told the rest.
const WAITING_MAX: usize = 16;

/// What is to be known of a pod that runs, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Whether the pod is what whoever waits for its start waits for.
    pub(super) is_up: bool,
    /// Whether it has been asked to end, or ends by itself; with the time that it takes at most, as far as that is known.
    pub(super) ends: Option<Duration>,
    /// What it does, for people.
    pub(super) status: String,
    /// Whether it is as alive as it can be.
    pub(super) is_alive: bool,
    /// Whether an app says that it is dead.
    pub(super) is_dead: bool,
    /// Why an app ends, as it says, as a number of errno(3).
    pub(super) errno: Option<i32>,
    /// How often its apps have been told to read their configuration again, and since when the last time, in microseconds of
    /// `CLOCK_MONOTONIC`.
    pub(super) reloads: (u64, u64),
    /// Whether they are at it.
    pub(super) is_reloading: bool,
}

/// Who has started the monitor.
#[derive(Debug, Default)]
pub struct Caller {
    /// A command that waits.
    ready: Option<OwnedFd>,
    notify: Option<NotifySocket>,
    /// Whether a service manager looks at the exit code.
    is_service: bool,
    watchdog: Option<Watchdog>,
    /// Whether the pod is to be registered with systemd-machined.
    registers: bool,
    /// What it was told last.
    told: Told,
    /// Messages that it had no room for, and when they are sent again.
    waiting: Vec<Message>,
    retry_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Told {
    is_up: bool,
    ends: bool,
    status: String,
    /// When that was said.
    status_at: Option<Instant>,
    /// Whether there is another one by now.
    has_more: bool,
    is_dead: bool,
    errno: Option<i32>,
    reloads: u64,
    is_reloading: bool,
}

/// How often a service manager wants to hear that the pod is alive.
#[derive(Debug)]
struct Watchdog {
    every: Duration,
    next: Instant,
}

impl Caller {
    /// A command that waits for this report, if there is one, and this service manager; and whether the pod is to be registered
    /// with systemd-machined.
    pub fn new(ready: Option<OwnedFd>, manager: &ServiceManager, registers: bool) -> Self {
        // As soon as the half of the time has passed, as sd_watchdog_enabled(3) says.
        let half = manager.watchdog.map(|every| every / 2);
        Self {
            // Who can't be told is not told: that is no reason not to run the pod.
            notify: manager.notify().unwrap_or_default(),
            is_service: manager.is_main,
            watchdog: half.map(|every| Watchdog {
                every: every.max(Duration::from_millis(1)),
                next: Instant::now(),
            }),
            ready,
            registers,
            ..Self::default()
        }
    }

    /// Whether a command waits for the pod's start.
    pub(super) fn waits(&self) -> bool {
        self.ready.is_some()
    }

    /// Whether a service manager looks after this process.
    pub(super) fn is_service(&self) -> bool {
        self.is_service
    }

    /// Whether the pod is to be registered with systemd-machined.
    pub(super) fn registers(&self) -> bool {
        self.registers
    }

    /// Whether it wants to hear more than that the pod is up.
    pub(super) fn listens(&self) -> bool {
        self.notify.is_some()
    }

    /// When to tell something though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.notify.as_ref()?;
        let watchdog = self.watchdog.as_ref().filter(|_| self.told.is_up);
        let ping = watchdog.map(|watchdog| watchdog.next);
        let status = self.told.status_at.filter(|_| self.told.has_more);
        let status = status.map(|at| at + STATUS_PERIOD);
        ping.into_iter().chain(status).chain(self.retry_at).min()
    }

    /// Within which time it wants to hear from a pod that is alive, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.as_ref().map(|watchdog| watchdog.every * 2)
    }

    /// Whether the manager is to hear of life now.
    pub(super) fn is_ping_due(&self, now: Instant) -> bool {
        self.told.is_up
            && self
                .watchdog
                .as_ref()
                .is_some_and(|watchdog| watchdog.next <= now)
    }

    /// Tells a command that waits that the pod is up. It tells its service manager, whose main process it is until then.
    pub(super) fn is_up(&mut self) {
        if self.ready.is_some() {
            report_started(&mut self.ready);
            self.told.is_up = true;
        }
    }

    /// Tells a service manager what has changed.
    pub(super) fn tell(&mut self, progress: Progress, now: Instant) {
        // Until then it listens to the command that waits.
        if self.ready.is_some() {
            return;
        }
        self.send_waiting(now);
        let mut message = Message::new();
        let was_told = progress.reloads.0 > self.told.reloads;
        let begins_reload = was_told || (progress.is_reloading && !self.told.is_reloading);
        if progress.is_up && self.told.is_up && begins_reload {
            // An app may begin by itself.
            let since = match was_told {
                true => progress.reloads.1,
                false => monotonic_microseconds(),
            };
            self.send(Message::new().reloading(since), now);
            if !progress.is_reloading {
                message = message.ready();
            }
        } else if progress.is_up && self.told.is_reloading && !progress.is_reloading {
            message = message.ready();
        }
        self.told.reloads = progress.reloads.0;
        self.told.is_reloading = progress.is_reloading;
        if progress.is_up && !std::mem::replace(&mut self.told.is_up, true) {
            message = message.ready();
            // Its time runs from now on.
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.next = now;
            }
        }
        if let Some(takes) = progress.ends
            && !std::mem::replace(&mut self.told.ends, true)
        {
            message = message.stopping().extend_timeout(takes);
        }
        if progress.is_dead && !self.told.is_dead {
            message = message.watchdog_trigger();
        }
        self.told.is_dead = progress.is_dead;
        if let Some(errno) = progress
            .errno
            .filter(|errno| self.told.errno != Some(*errno))
        {
            message = message.errno(errno);
            self.told.errno = Some(errno);
        }
        self.told.has_more = progress.status != self.told.status;
        let is_soon = |at: Instant| now < at + STATUS_PERIOD;
        let may_wait = message.is_empty() && self.told.status_at.is_some_and(is_soon);
        if self.told.has_more && !may_wait {
            message = message.status(&progress.status);
            self.told.status = progress.status;
            self.told.status_at = Some(now);
            self.told.has_more = false;
        }
        if self.is_ping_due(now)
            && let Some(watchdog) = &mut self.watchdog
        {
            watchdog.next = now + watchdog.every;
            if progress.is_alive {
                message = message.watchdog();
            }
        }
        self.send(message, now);
    }

    /// The pod could not be started: tells a command that waits, or gives the message back, for standard error.
    pub(super) fn failed(&mut self, failure: StartFailure) -> Option<String> {
        let errno = match failure.kind {
            FailureKind::NotFound => Some(Errno::NOENT),
            FailureKind::NotExecutable => Some(Errno::ACCESS),
            FailureKind::NoSpace => Some(Errno::NOSPC),
            FailureKind::NameTaken => Some(Errno::EXIST),
            FailureKind::TooMany => Some(Errno::AGAIN),
            FailureKind::UnknownUser | FailureKind::Interrupted { .. } | FailureKind::Other => None,
        };
        let mut message = Message::new()
            .status(&failure.message)
            .exit_status(failure.kind.exit_code());
        if let Some(errno) = errno {
            message = message.errno(errno.raw_os_error());
        }
        if self.ready.is_none() {
            self.send(message, Instant::now());
        }
        report_unless_told(self.ready.take(), failure)
    }

    /// The pod has ended so.
    pub(super) fn ended(&mut self, exit_code: i32, failure: Option<&str>) {
        if self.ready.is_some() || self.notify.is_none() {
            return;
        }
        let status = match failure {
            Some(failure) => failure.to_owned(),
            None => format!("ended with exit code {exit_code}"),
        };
        let message = Message::new().status(&status).exit_status(exit_code);
        self.send(message, Instant::now());
    }

    fn send(&mut self, message: Message, now: Instant) {
        let Some(socket) = self.notify.as_ref().filter(|_| !message.is_empty()) else {
            return;
        };
        // Later ones do not overtake.
        let sent = match self.waiting.is_empty() {
            true => socket.send(&message),
            false => Err(Errno::AGAIN),
        };
        if sent == Err(Errno::AGAIN) && self.waiting.len() < WAITING_MAX {
            self.waiting.push(message);
            self.retry_at = now.checked_add(RETRY);
        }
    }

    fn send_waiting(&mut self, now: Instant) {
        if self.retry_at.is_none_or(|at| now < at) {
            return;
        }
        self.retry_at = None;
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        if let Some(socket) = &self.notify {
            for message in waiting.by_ref() {
                if socket.send(&message) == Err(Errno::AGAIN) {
                    self.waiting.push(message);
                    self.retry_at = now.checked_add(RETRY);
                    break;
                }
            }
        }
        self.waiting.extend(waiting);
    }
}

#[cfg(test)]
mod tests;
