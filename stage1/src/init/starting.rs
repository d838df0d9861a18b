//! How apps and commands start beside all that pod init does else: whose turn it is, what each tells of its way, and what
//! becomes of it.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use pod::AppName;

use super::event_loop::Pod;
use super::ground::Ground;
use super::starts::{GivenUp, Reported, StartingApp};
use crate::app::launch::{PreparedApp, RunningCommand, Starting};
use crate::app::running_app::RunningApp;
use crate::failure::StartFailure;
use crate::link::{Enclosed, HandedOver, MonitorLink, StreamEnds};
use crate::protocol::{AppSpec, ExecSpec, FromInit};
use crate::sys;

const SIGKILL: i32 = Signal::SIGKILL as i32;

impl Pod {
    /// Starts the next of the apps that the pod begins with, once the one before it runs.
    pub(super) fn begin_next(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        if !self.started
            && !self.starts.has_process()
            && let Some((app, signals)) = self.starts.next()
        {
            let context = self.context_of(&app)?;
            let app = app.start(context)?;
            self.starts.add_app(app, signals);
        }
        self.tell_started(link)
    }

    /// Tells the monitor when all apps run, or have run, that the pod begins with.
    fn tell_started(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        if !self.started && !self.stop_requested && !self.starts.has_app(None) {
            link.send(&FromInit::Started, Enclosed::default())?;
            self.started = true;
        }
        Ok(())
    }

    /// Looks for reports that have come since the last wait: what runs by now is asked to end, and not killed.
    pub(super) fn take_late_reports(
        &mut self,
        link: &mut dyn MonitorLink,
    ) -> Result<(), StartFailure> {
        let starts = self.starts.interests().into_iter();
        let mut fds: Vec<_> = starts
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        if !fds.is_empty() {
            poll(&mut fds, PollTimeout::ZERO)
                .map_err(StartFailure::os("look for what has started"))?;
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            self.take_reports(link, &ready)?;
        }
        self.tell_started(link)
    }

    /// Starts an app beside those that run.
    pub(super) fn join(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
        spec: AppSpec,
        streams: StreamEnds,
        handed_over: HandedOver,
    ) -> Result<(), StartFailure> {
        let name = spec.name.clone();
        if !self.supervisor.may_start(&name) {
            let failure = StartFailure::other(format!(
                "app {name} can't be started: it runs, or the pod is being stopped"
            ));
            return tell_failed(link, name, failure);
        }
        let (held, new_privileges) = (self.held_capabilities, self.new_privileges);
        let started = ground
            .app(&spec, handed_over)
            .and_then(|ground| PreparedApp::new(spec, streams, ground, self.setup()))
            .and_then(|app| {
                if app.wanted_capabilities() & !held != 0 {
                    return Err(StartFailure::other(format!(
                        "app {name} can't have more capabilities: the pod began with apps that have \
                         few, and has kept no more"
                    )));
                }
                if app.gains_privileges() && !new_privileges {
                    return Err(StartFailure::other(format!(
                        "app {name} can't gain privileges: the pod began with apps that can't, and \
                         nothing in it can since"
                    )));
                }
                let context = self.context_of(&app)?;
                app.start(context)
            });
        match started {
            Ok(app) => {
                self.supervisor.app_starting(name);
                self.starts.add_app(app, BTreeSet::new());
                Ok(())
            }
            Err(failure) => tell_failed(link, name, failure),
        }
    }

    /// Starts a command inside of an app, or lets it wait until that app runs.
    pub(super) fn execute(
        &mut self,
        link: &mut dyn MonitorLink,
        spec: ExecSpec,
        streams: StreamEnds,
    ) -> Result<(), StartFailure> {
        if !self.stop_requested && (!self.started || self.starts.has_app(spec.app.as_ref())) {
            self.waiting.push((spec, streams));
            return Ok(());
        }
        let id = spec.id;
        let started = self
            .find(spec.app.as_ref())
            .and_then(|app| app.execute(&spec, streams, self.setup().user_namespace));
        match started {
            Ok(command) => self.starts.add_command(id, command),
            Err(failure) => {
                link.send(&FromInit::ExecFailed { id, failure }, Enclosed::default())?;
            }
        }
        Ok(())
    }

    /// Starts the commands that have waited for an app.
    pub(super) fn execute_waiting(
        &mut self,
        link: &mut dyn MonitorLink,
    ) -> Result<(), StartFailure> {
        for (spec, streams) in std::mem::take(&mut self.waiting) {
            self.execute(link, spec, streams)?;
        }
        Ok(())
    }

    /// Takes what processes have told of their way.
    pub(super) fn take_reports(
        &mut self,
        link: &mut dyn MonitorLink,
        ready: &[bool],
    ) -> Result<(), StartFailure> {
        for reported in self.starts.reported(ready) {
            match reported {
                Reported::App(name) => {
                    if let Some((starting, report)) = self.starts.take_reported_app(&name) {
                        self.app_reported(link, &name, starting, report)?;
                    }
                }
                Reported::Command(id) => {
                    if let Some((command, report)) = self.starts.take_reported_command(id) {
                        self.command_reported(link, id, command, report)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The process of an app has executed its program, could not, or is gone.
    fn app_reported(
        &mut self,
        link: &mut dyn MonitorLink,
        name: &AppName,
        StartingApp { app, signals, .. }: StartingApp,
        report: Result<(), StartFailure>,
    ) -> Result<(), StartFailure> {
        match report {
            Ok(()) => self.app_runs(link, app, &signals),
            Err(failure) => self.app_does_not_run(link, name, failure),
        }
    }

    fn app_runs(
        &mut self,
        link: &mut dyn MonitorLink,
        started: Starting<RunningApp>,
        signals: &BTreeSet<i32>,
    ) -> Result<(), StartFailure> {
        let Starting {
            process: app,
            master,
            ..
        } = started;
        let message = FromInit::AppStarted {
            app: app.name.clone(),
            terminal: app.terminal.as_ref().map(|terminal| terminal.stream),
        };
        let enclosed = Enclosed {
            process: Some(app.process.pidfd.as_fd()),
            terminal: master,
        };
        if let Err(error) = link.send(&message, enclosed) {
            if !error.is_of_descriptors() {
                return Err(error.into());
            }
            // The monitor would know nothing of it.
            let _ = sys::send_signal(app.process.pid, SIGKILL);
            let RunningApp { name, seat, .. } = app;
            self.leftovers.kill(seat);
            return self.app_does_not_run(link, &name, error.into());
        }
        self.supervisor.app_started(&app.name);
        for signal in signals {
            // One that has ended already needs none.
            let _ = sys::send_signal(app.process.pid, *signal);
        }
        self.apps.insert(app.name.clone(), app);
        Ok(())
    }

    /// The failure of one that the pod begins with is the pod's.
    fn app_does_not_run(
        &mut self,
        link: &mut dyn MonitorLink,
        name: &AppName,
        failure: StartFailure,
    ) -> Result<(), StartFailure> {
        if !self.started && !self.stop_requested {
            return Err(failure);
        }
        self.supervisor.app_not_started(name);
        tell_failed(link, name.clone(), failure)
    }

    fn command_reported(
        &mut self,
        link: &mut dyn MonitorLink,
        id: u64,
        command: Starting<RunningCommand>,
        report: Result<(), StartFailure>,
    ) -> Result<(), StartFailure> {
        match report {
            Ok(()) => self.command_runs(link, id, command),
            Err(failure) => {
                Ok(link.send(&FromInit::ExecFailed { id, failure }, Enclosed::default())?)
            }
        }
    }

    fn command_runs(
        &mut self,
        link: &mut dyn MonitorLink,
        id: u64,
        started: Starting<RunningCommand>,
    ) -> Result<(), StartFailure> {
        let Starting {
            process: command,
            master,
            ..
        } = started;
        let message = FromInit::ExecStarted {
            id,
            terminal: command.terminal.as_ref().map(|terminal| terminal.stream),
        };
        let enclosed = Enclosed {
            process: Some(command.process.pidfd.as_fd()),
            terminal: master,
        };
        if let Err(error) = link.send(&message, enclosed) {
            if !error.is_of_descriptors() {
                return Err(error.into());
            }
            // The monitor would know nothing of it.
            let _ = sys::send_signal(command.process.pid, SIGKILL);
            let failure = error.into();
            return Ok(link.send(&FromInit::ExecFailed { id, failure }, Enclosed::default())?);
        }
        if let Some(patience) = command.patience {
            self.overdue.begin(id, patience);
        }
        self.commands.insert(id, command);
        Ok(())
    }

    /// A process has ended that may not have told of its way yet: its last word is there.
    pub(super) fn ended_while_starting(
        &mut self,
        link: &mut dyn MonitorLink,
        pid: i32,
    ) -> Result<(), StartFailure> {
        if let Some(id) = self.starts.command_of(pid)
            && let Some(command) = self.starts.take_command(id)
        {
            let report = command.report.last_word();
            return self.command_reported(link, id, command, report);
        }
        let Some(name) = self.starts.app_of(pid) else {
            return Ok(());
        };
        let Some(starting) = self.starts.take_app(&name) else {
            return Ok(());
        };
        let Some(given_up) = starting.given_up else {
            let report = starting.app.report.last_word();
            return self.app_reported(link, &name, starting, report);
        };
        // It may have executed its program in the last moment, and left something running.
        let Starting {
            process, report, ..
        } = starting.app;
        self.leftovers.kill(process.into_seat());
        match given_up {
            GivenUp::Overdue => self.app_does_not_run(link, &name, report.overdue()),
            GivenUp::Stopped => self.app_was_stopped(link, name),
        }
    }

    /// An app does not run because it was asked to end before it did.
    pub(super) fn app_was_stopped(
        &mut self,
        link: &mut dyn MonitorLink,
        name: AppName,
    ) -> Result<(), StartFailure> {
        self.supervisor.app_not_started(&name);
        let failure =
            StartFailure::other(format!("app {name} was stopped while it was being started"));
        tell_failed(link, name, failure)
    }

    /// Kills those that have taken too long.
    pub(super) fn give_up_overdue(
        &mut self,
        link: &mut dyn MonitorLink,
    ) -> Result<(), StartFailure> {
        for (id, failure) in self.starts.give_up_overdue(Instant::now()) {
            link.send(&FromInit::ExecFailed { id, failure }, Enclosed::default())?;
        }
        Ok(())
    }
}

fn tell_failed(
    link: &mut dyn MonitorLink,
    app: AppName,
    failure: StartFailure,
) -> Result<(), StartFailure> {
    Ok(link.send(&FromInit::AppFailed { app, failure }, Enclosed::default())?)
}
