//! Pod init once all apps run: reap, obey the monitor, end.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use pod::AppName;
use pod::control::WindowSize;
use pod::exit::Outcome;

use super::ground::Ground;
use super::hosts_file::HostsFile;
use super::supervisor::{Action, Supervisor};
use crate::app::launch::{PreparedApp, RunningApp, RunningCommand, Started};
use crate::failure::StartFailure;
use crate::link::stream::StreamId;
use crate::link::{Enclosed, HandedOver, MonitorLink, StreamEnds, Told};
use crate::protocol::{AppSpec, ExecSpec, FromInit, Setup, ToInit};
use crate::sys::{self, ChildEnd, EndedChild, release_program_memory};
use crate::timing::{SETTLING, poll_timeout};

/// The pod as pod init sees it.
#[derive(Debug)]
pub(crate) struct Pod {
    hostname: String,
    hosts: HostsFile,
    supervisor: Supervisor,
    /// Apps that run.
    apps: BTreeMap<AppName, RunningApp>,
    /// Commands that run, by the monitor's number for each.
    commands: BTreeMap<u64, RunningCommand>,
    /// When to give back what only the start needed.
    settles_at: Option<Instant>,
}

impl Pod {
    pub(crate) fn new(setup: Setup, hosts: HostsFile) -> Self {
        let grace = Duration::from_millis(setup.grace_period_ms);
        Self {
            hostname: setup.hostname,
            hosts,
            supervisor: Supervisor::new(setup.lifetime, setup.on_app_failure, grace),
            apps: BTreeMap::new(),
            commands: BTreeMap::new(),
            settles_at: Instant::now().checked_add(SETTLING),
        }
    }

    /// Starts an app, takes it in, and tells the monitor.
    pub(crate) fn start(
        &mut self,
        link: &mut dyn MonitorLink,
        app: PreparedApp,
    ) -> Result<(), StartFailure> {
        let started = app.start(&self.hostname)?;
        self.add(link, started)
    }

    fn add(
        &mut self,
        link: &mut dyn MonitorLink,
        started: Started<RunningApp>,
    ) -> Result<(), StartFailure> {
        let Started {
            process: app,
            master,
        } = started;
        let message = FromInit::AppStarted {
            app: app.name.clone(),
            terminal: app.terminal.as_ref().map(|terminal| terminal.stream),
        };
        let enclosed = Enclosed {
            process: Some(app.process.pidfd.as_fd()),
            terminal: master,
        };
        link.send(&message, enclosed)?;
        self.supervisor.app_started(app.name.clone());
        self.apps.insert(app.name.clone(), app);
        Ok(())
    }

    /// Runs until the pod's end. The result is its exit code.
    pub(crate) fn run(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
    ) -> Result<i32, StartFailure> {
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&children, flags)
            .map_err(StartFailure::os("listen for ended processes"))?;
        loop {
            // A child may have ended before the descriptor existed, so look first.
            self.reap(link)?;
            while let Some(action) = self.supervisor.tick(Instant::now()) {
                self.act(action);
            }
            if self
                .settles_at
                .is_some_and(|instant| instant <= Instant::now())
            {
                self.settles_at = None;
                release_program_memory();
            }
            if let Some(exit_code) = self.supervisor.finished() {
                return Ok(exit_code);
            }
            let (ended, ready) = self.wait(&signals, link)?;
            if ended {
                while let Ok(Some(_)) = signals.read_signal() {}
            }
            for told in link.advance(&ready)? {
                self.obey(link, ground, told)?;
            }
        }
    }

    /// Waits for something to happen: whether a child may have ended, and what is ready of the link.
    fn wait(
        &self,
        signals: &SignalFd,
        link: &dyn MonitorLink,
    ) -> Result<(bool, Vec<bool>), StartFailure> {
        let interests = link.interests().into_iter();
        let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(interests.map(|(fd, flags)| PollFd::new(fd, flags)));
        let next = [self.supervisor.deadline(), self.settles_at]
            .into_iter()
            .flatten()
            .min();
        match poll(&mut fds, poll_timeout(next)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(StartFailure::os("wait for events")(errno)),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ok((ready.next().unwrap_or(false), ready.collect()))
    }

    fn reap(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        while let Some(EndedChild { pid, end }) =
            sys::reap().map_err(StartFailure::os("reap processes"))?
        {
            let outcome = match end {
                ChildEnd::Exited(code) => Outcome::Exited { code },
                ChildEnd::Signaled(signal) => Outcome::Signaled {
                    signal,
                    oom_killed: false,
                },
            };
            self.ended(link, pid, outcome)?;
        }
        Ok(())
    }

    /// A process has ended: an app's, a command's, or one that has lost its parent.
    fn ended(
        &mut self,
        link: &mut dyn MonitorLink,
        pid: i32,
        outcome: Outcome,
    ) -> Result<(), StartFailure> {
        let is_main = |app: &RunningApp| app.process.pid == pid;
        if let Some((_, app)) = self.apps.extract_if(.., |_, app| is_main(app)).next() {
            let outcome = match outcome {
                Outcome::Signaled {
                    signal: SIGKILL, ..
                } => Outcome::Signaled {
                    signal: SIGKILL,
                    oom_killed: app.seat.oom_kills() > 0,
                },
                other => other,
            };
            let message = FromInit::AppExited {
                app: app.name.clone(),
                outcome,
            };
            let code = outcome.exit_code();
            let action = self.supervisor.app_exited(&app.name, code, Instant::now());
            if self.supervisor.finished().is_none() {
                // What the app left running would otherwise outlive it by as long as the pod.
                app.seat.kill_all();
            }
            // Closes its terminal: what it wrote has an end.
            drop(app);
            link.send(&message, Enclosed::default())?;
            if let Some(action) = action {
                self.act(action);
            }
            return Ok(());
        }
        let command = self
            .commands
            .extract_if(.., |_, command| command.process.pid == pid)
            .next();
        if let Some((id, command)) = command {
            drop(command);
            link.send(&FromInit::ExecExited { id, outcome }, Enclosed::default())?;
        }
        Ok(())
    }

    fn act(&self, action: Action) {
        // A process that is gone already is what was wanted.
        match action {
            Action::SignalApps => {
                for app in self.apps.values() {
                    let _ = sys::send_signal(app.process.pid, app.stop_signal);
                }
            }
            Action::KillAll => {
                // Everything in this pid namespace but pid 1.
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            Action::SignalApp(name) => {
                if let Some(app) = self.apps.get(&name) {
                    let _ = sys::send_signal(app.process.pid, app.stop_signal);
                }
            }
            Action::KillApp(name) => {
                if let Some(app) = self.apps.get(&name) {
                    // Its main process even where the host has no cgroups.
                    let _ = sys::send_signal(app.process.pid, SIGKILL);
                    app.seat.kill_all();
                }
            }
        }
    }

    fn obey(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
        told: Told,
    ) -> Result<(), StartFailure> {
        let Told {
            message,
            streams,
            handed_over,
        } = told;
        match message {
            ToInit::Stop { grace_ms } => {
                let grace = Duration::from_millis(grace_ms);
                if let Some(action) = self.supervisor.stop(grace, Instant::now()) {
                    self.act(action);
                }
            }
            ToInit::App(spec) => {
                let app = spec.name.clone();
                if let Err(failure) = self.join(link, ground, *spec, streams, handed_over) {
                    link.send(&FromInit::AppFailed { app, failure }, Enclosed::default())?;
                }
                self.settles_at = Instant::now().checked_add(SETTLING);
            }
            ToInit::StopApp { app, grace_ms } => {
                let grace = Duration::from_millis(grace_ms);
                if let Some(action) = self.supervisor.stop_app(&app, grace, Instant::now()) {
                    self.act(action);
                }
            }
            ToInit::ForgetApp { app } => self.supervisor.app_removed(&app),
            ToInit::Signal { app, signal } => {
                let chosen =
                    |running: &&RunningApp| app.as_ref().is_none_or(|a| *a == running.name);
                for running in self.apps.values().filter(chosen) {
                    let _ = sys::send_signal(running.process.pid, signal);
                }
            }
            ToInit::Exec(spec) => self.execute(link, &spec, streams)?,
            ToInit::Resize { terminal, size } => self.resize(terminal, size),
            ToInit::Peers(changes) => {
                let failure = self.hosts.update(&changes).err().map(|e| e.to_string());
                link.send(&FromInit::PeersTold { failure }, Enclosed::default())?;
                // Settled again when this has passed.
                self.settles_at = Instant::now().checked_add(SETTLING);
            }
            other @ (ToInit::Setup(_) | ToInit::Start(_)) => {
                return Err(StartFailure::other(format!(
                    "{other:?} came after the start"
                )));
            }
        }
        Ok(())
    }

    /// Starts an app beside those that run.
    fn join(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
        spec: AppSpec,
        streams: StreamEnds,
        handed_over: HandedOver,
    ) -> Result<(), StartFailure> {
        if !self.supervisor.may_start(&spec.name) {
            return Err(StartFailure::other(format!(
                "app {} can't be started: it runs, or the pod is being stopped",
                spec.name
            )));
        }
        let ground = ground.app(&spec, handed_over)?;
        self.start(link, PreparedApp::new(spec, streams, ground)?)
    }

    fn execute(
        &mut self,
        link: &mut dyn MonitorLink,
        spec: &ExecSpec,
        streams: StreamEnds,
    ) -> Result<(), StartFailure> {
        let id = spec.id;
        let started = self
            .find(spec.app.as_ref())
            .and_then(|app| app.execute(spec, streams));
        match started {
            Ok(Started {
                process: command,
                master,
            }) => {
                let message = FromInit::ExecStarted {
                    id,
                    terminal: command.terminal.as_ref().map(|terminal| terminal.stream),
                };
                let enclosed = Enclosed {
                    process: Some(command.process.pidfd.as_fd()),
                    terminal: master,
                };
                link.send(&message, enclosed)?;
                self.commands.insert(id, command);
            }
            Err(failure) => {
                link.send(&FromInit::ExecFailed { id, failure }, Enclosed::default())?;
            }
        }
        Ok(())
    }

    fn resize(&self, stream: StreamId, size: WindowSize) {
        let of_apps = self.apps.values().filter_map(|app| app.terminal.as_ref());
        let of_commands = self.commands.values().filter_map(|c| c.terminal.as_ref());
        for terminal in of_apps.chain(of_commands) {
            if terminal.stream == stream {
                terminal.resize(size);
            }
        }
    }

    fn find(&self, name: Option<&AppName>) -> Result<&RunningApp, StartFailure> {
        match name {
            Some(name) => self.apps.get(name).ok_or_else(|| {
                StartFailure::other(format!("no app called {name} runs in this pod"))
            }),
            None => match self.apps.len() {
                1 => self.apps.values().next(),
                _ => None,
            }
            .ok_or_else(|| {
                let names: Vec<&str> = self.apps.keys().map(AppName::as_str).collect();
                StartFailure::other(format!("say which app with `--app`: {}", names.join(", ")))
            }),
        }
    }
}

const SIGKILL: i32 = Signal::SIGKILL as i32;
