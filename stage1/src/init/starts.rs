//! Apps and commands on their way to their programs. Nobody waits for one of them alone: each has its report and its deadline
//! in the event loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::sys::signal::Signal;
use pod::AppName;
use pod::control::WindowSize;

use crate::app::launch::{PreparedApp, RunningCommand, Starting};
use crate::app::running_app::RunningApp;
use crate::failure::StartFailure;
use crate::link::StreamId;
use crate::sys;

const SIGKILL: i32 = Signal::SIGKILL as i32;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Apps that the pod begins with, and whose turn has not come.
    queue: VecDeque<QueuedApp>,
    apps: BTreeMap<AppName, StartingApp>,
    /// By the monitor's number for each.
    commands: BTreeMap<u64, Starting<RunningCommand>>,
}

#[derive(Debug)]
struct QueuedApp {
    app: PreparedApp,
    signals: BTreeSet<i32>,
}

/// An app that has a process, which has not executed the app's program yet.
#[derive(Debug)]
pub(super) struct StartingApp {
    pub(super) app: Starting<RunningApp>,
    /// What is sent to it once it runs.
    pub(super) signals: BTreeSet<i32>,
    /// Why it has been killed, if it has: whatever it still tells, it does not run.
    pub(super) given_up: Option<GivenUp>,
}

/// Why an app that was being started has been killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It has taken too long.
    Overdue,
    /// It was asked to end.
    Stopped,
}

/// Which process has told of its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reported {
    App(AppName),
    Command(u64),
}

impl Starts {
    /// Of a pod that begins with these apps, one after the other.
    pub(super) fn of(apps: Vec<PreparedApp>) -> Self {
        let queue = apps.into_iter().map(|app| QueuedApp {
            app,
            signals: BTreeSet::new(),
        });
        Self {
            queue: queue.collect(),
            ..Self::default()
        }
    }

    /// The next app whose turn it is, and the signals for it.
    pub(super) fn next(&mut self) -> Option<(PreparedApp, BTreeSet<i32>)> {
        let QueuedApp { app, signals } = self.queue.pop_front()?;
        Some((app, signals))
    }

    /// An app has a process.
    pub(super) fn add_app(&mut self, app: Starting<RunningApp>, signals: BTreeSet<i32>) {
        let starting = StartingApp {
            app,
            signals,
            given_up: None,
        };
        let name = starting.app.process.name.clone();
        self.apps.insert(name, starting);
    }

    /// A command has a process.
    pub(super) fn add_command(&mut self, id: u64, command: Starting<RunningCommand>) {
        self.commands.insert(id, command);
    }

    /// Whether an app is being started or waits for its turn: this one, or any.
    pub(super) fn has_app(&self, name: Option<&AppName>) -> bool {
        let queued = self.queue.iter().map(|queued| queued.app.name());
        queued
            .chain(self.apps.keys())
            .any(|app| name.is_none_or(|name| app == name))
    }

    /// Whether an app that has a process is being started.
    pub(super) fn has_process(&self) -> bool {
        !self.apps.is_empty()
    }

    /// The app whose process this is.
    pub(super) fn app_of(&self, pid: i32) -> Option<AppName> {
        let of = |(_, app): &(&AppName, &StartingApp)| app.app.process.process.pid == pid;
        self.apps.iter().find(of).map(|(name, _)| name.clone())
    }

    /// The command whose process this is.
    pub(super) fn command_of(&self, pid: i32) -> Option<u64> {
        let of =
            |(_, command): &(&u64, &Starting<RunningCommand>)| command.process.process.pid == pid;
        self.commands.iter().find(of).map(|(id, _)| *id)
    }

    /// Takes an app out.
    pub(super) fn take_app(&mut self, name: &AppName) -> Option<StartingApp> {
        self.apps.remove(name)
    }

    /// Takes a command out.
    pub(super) fn take_command(&mut self, id: u64) -> Option<Starting<RunningCommand>> {
        self.commands.remove(&id)
    }

    /// Takes an app out, with what it has told of its way. None while it has not.
    pub(super) fn take_reported_app(
        &mut self,
        name: &AppName,
    ) -> Option<(StartingApp, Result<(), StartFailure>)> {
        let report = self.apps.get(name)?.app.report.take()?;
        Some((self.apps.remove(name)?, report))
    }

    /// The same with a command.
    pub(super) fn take_reported_command(
        &mut self,
        id: u64,
    ) -> Option<(Starting<RunningCommand>, Result<(), StartFailure>)> {
        let report = self.commands.get(&id)?.report.take()?;
        Some((self.commands.remove(&id)?, report))
    }

    fn reporting_apps(&self) -> impl Iterator<Item = (&AppName, &StartingApp)> {
        let reports = |(_, app): &(&AppName, &StartingApp)| app.given_up.is_none();
        self.apps.iter().filter(reports)
    }

    /// What becomes readable when a process has told of its way.
    pub(super) fn interests(&self) -> Vec<BorrowedFd<'_>> {
        let apps = self.reporting_apps().map(|(_, app)| &app.app.report);
        let commands = self.commands.values().map(|command| &command.report);
        apps.chain(commands).map(AsFd::as_fd).collect()
    }

    /// Whose reports those are that can be read: `ready` answers [`Starts::interests`] one by one.
    pub(super) fn reported(&self, ready: &[bool]) -> Vec<Reported> {
        let apps = self.reporting_apps();
        let apps = apps.map(|(name, _)| Reported::App(name.clone()));
        let all = apps.chain(self.commands.keys().copied().map(Reported::Command));
        let reported = all.zip(ready).filter(|(_, ready)| **ready);
        reported.map(|(reported, _)| reported).collect()
    }

    /// When [`Starts::give_up_overdue`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let apps = self.reporting_apps().map(|(_, app)| &app.app.report);
        let commands = self.commands.values().map(|command| &command.report);
        apps.chain(commands)
            .filter_map(|report| report.deadline())
            .min()
    }

    /// Kills what has taken too long. Gives the commands, of which nobody hears any more.
    pub(super) fn give_up_overdue(&mut self, now: Instant) -> Vec<(u64, StartFailure)> {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        for app in self.apps.values_mut() {
            if is_due(app.app.report.deadline()) {
                app.give_up(GivenUp::Overdue);
            }
        }
        let overdue = self
            .commands
            .extract_if(.., |_, command| is_due(command.report.deadline()));
        let killed = overdue.map(|(id, command)| {
            // Whatever holds it up, it must not become a command later on.
            let _ = sys::send_signal(command.process.process.pid, SIGKILL);
            (id, command.report.overdue())
        });
        killed.collect()
    }

    /// Kills an app that is asked to end. Whether it has no process, so that it is gone already.
    pub(super) fn stop_app(&mut self, name: &AppName) -> bool {
        if let Some(app) = self.apps.get_mut(name) {
            app.give_up(GivenUp::Stopped);
        }
        let before = self.queue.len();
        self.queue.retain(|queued| queued.app.name() != name);
        self.queue.len() < before
    }

    /// The same with all apps. Gives those that had no process.
    pub(super) fn stop_apps(&mut self) -> Vec<AppName> {
        for app in self.apps.values_mut() {
            app.give_up(GivenUp::Stopped);
        }
        let queued = self.queue.drain(..);
        queued.map(|queued| queued.app.name().clone()).collect()
    }

    /// Takes everything out, because the pod has ended: commands are killed, and the apps are given that have a process.
    pub(super) fn end_all(&mut self) -> Vec<RunningApp> {
        self.queue.clear();
        for command in std::mem::take(&mut self.commands).into_values() {
            // One that is gone already is what was wanted.
            let _ = sys::send_signal(command.process.process.pid, SIGKILL);
        }
        let apps = std::mem::take(&mut self.apps).into_values();
        apps.map(|starting| starting.app.process).collect()
    }

    /// A signal for one app or for all: they get it once they run.
    pub(super) fn signal(&mut self, name: Option<&AppName>, signal: i32) {
        let chosen = |app: &AppName| name.is_none_or(|name| app == name);
        for queued in &mut self.queue {
            if chosen(queued.app.name()) {
                queued.signals.insert(signal);
            }
        }
        for (name, app) in &mut self.apps {
            if chosen(name) {
                app.signals.insert(signal);
            }
        }
    }

    /// A terminal gets another size.
    pub(super) fn resize(&mut self, stream: StreamId, size: WindowSize) {
        for queued in &mut self.queue {
            queued.app.resize(stream, size);
        }
        let apps = self.apps.values();
        let apps = apps.filter_map(|app| app.app.process.terminal.as_ref());
        let commands = self.commands.values();
        let commands = commands.filter_map(|command| command.process.terminal.as_ref());
        for terminal in apps.chain(commands) {
            if terminal.stream == stream {
                terminal.resize(size);
            }
        }
    }
}

impl StartingApp {
    /// Kills it. Only the first reason counts.
    fn give_up(&mut self, why: GivenUp) {
        if self.given_up.is_none() {
            // One that is gone already is found so when it is reaped.
            let _ = sys::send_signal(self.app.process.process.pid, SIGKILL);
            self.given_up = Some(why);
        }
    }
}
