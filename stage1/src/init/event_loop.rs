//! Pod init once all apps run: reap, obey the monitor, end.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use pod::AppName;
use pod::control::ExecRequest;
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;

use super::hosts_file::HostsFile;
use super::supervisor::{Action, Supervisor};
use crate::app::launch::RunningApp;
use crate::failure::StartFailure;
use crate::protocol::{FromInit, ToInit};
use crate::sys::{self, Spawned, release_program_memory};
use crate::timing::{SETTLING, poll_timeout};

/// The pod as pod init sees it.
#[derive(Debug)]
pub(crate) struct Pod {
    grace: Duration,
    hosts: HostsFile,
    supervisor: Supervisor,
    /// Apps by the process ID of their main process.
    apps: BTreeMap<i32, RunningApp>,
    /// The process IDs of all that were started, in the manifest's order.
    places: Vec<i32>,
    /// Commands by process ID: the monitor's number for each.
    commands: BTreeMap<i32, u64>,
    /// When to give back what only the start needed.
    settles_at: Option<Instant>,
}

impl Pod {
    pub(crate) fn new(grace_period_ms: u64, hosts: HostsFile) -> Self {
        let grace = Duration::from_millis(grace_period_ms);
        Self {
            grace,
            hosts,
            supervisor: Supervisor::new(0, grace),
            apps: BTreeMap::new(),
            places: Vec::new(),
            commands: BTreeMap::new(),
            settles_at: Instant::now().checked_add(SETTLING),
        }
    }

    /// Takes in an app that has just been started, and tells the monitor.
    pub(crate) fn add(
        &mut self,
        monitor: &SeqPacket,
        app: RunningApp,
        terminal: Option<OwnedFd>,
    ) -> Result<(), StartFailure> {
        let started = FromInit::AppStarted {
            app: app.name.clone(),
        };
        announce(monitor, &started, &app.process, terminal.as_ref())?;
        self.places.push(app.process.pid);
        self.apps.insert(app.process.pid, app);
        Ok(())
    }

    /// All apps have been started.
    pub(crate) fn started(&mut self, monitor: &SeqPacket) -> Result<(), StartFailure> {
        self.supervisor = Supervisor::new(self.apps.len(), self.grace);
        Ok(monitor.send(&FromInit::Started, &[])?)
    }

    /// Runs until the pod's end. When the monitor is gone, so is the reason to go on.
    pub(crate) fn run(&mut self, monitor: &SeqPacket) -> i32 {
        match self.serve(monitor) {
            Ok(exit_code) => {
                let _ = monitor.send(&FromInit::Finished { exit_code }, &[]);
                0
            }
            Err(failure) => {
                let _ = monitor.send(&FromInit::Failed(failure), &[]);
                1
            }
        }
    }

    fn serve(&mut self, monitor: &SeqPacket) -> Result<i32, StartFailure> {
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&children, flags)
            .map_err(StartFailure::os("listen for ended processes"))?;
        loop {
            // A child may have ended before the descriptor existed, so look first.
            self.reap(monitor)?;
            if let Some(action) = self.supervisor.tick(Instant::now()) {
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
            let mut fds = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(monitor.as_fd(), PollFlags::POLLIN),
            ];
            let next = [self.supervisor.deadline(), self.settles_at]
                .into_iter()
                .flatten()
                .min();
            match poll(&mut fds, poll_timeout(next)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(StartFailure::os("wait for events")(errno)),
            }
            let [ended, asked] = fds.map(|fd| fd.any().unwrap_or(false));
            if ended {
                while let Ok(Some(_)) = signals.read_signal() {}
            }
            if asked {
                let Some((message, fds)) = monitor.recv()? else {
                    return Err(StartFailure::other("the monitor is gone"));
                };
                self.obey(monitor, message, &fds)?;
            }
        }
    }

    fn reap(&mut self, monitor: &SeqPacket) -> Result<(), StartFailure> {
        loop {
            let (pid, outcome) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Outcome::Exited { code }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (
                    pid,
                    Outcome::Signaled {
                        signal: signal as i32,
                        oom_killed: false,
                    },
                ),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(errno) => return Err(StartFailure::os("reap processes")(errno)),
            };
            if let Some(app) = self.apps.remove(&pid.as_raw()) {
                // What the app left running would otherwise outlive it by as long as the pod.
                if !self.apps.is_empty() {
                    app.seat.kill_all();
                }
                monitor.send(
                    &FromInit::AppExited {
                        app: app.name,
                        outcome,
                    },
                    &[],
                )?;
                let code = outcome.exit_code();
                let place = self.places.iter().position(|&other| other == pid.as_raw());
                let place = place.unwrap_or_default();
                if let Some(action) = self.supervisor.app_exited(place, code, Instant::now()) {
                    self.act(action);
                }
            } else if let Some(id) = self.commands.remove(&pid.as_raw()) {
                monitor.send(&FromInit::ExecExited { id, outcome }, &[])?;
            }
        }
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
        }
    }

    fn obey(
        &mut self,
        monitor: &SeqPacket,
        message: ToInit,
        fds: &[OwnedFd],
    ) -> Result<(), StartFailure> {
        match message {
            ToInit::Stop { grace_ms } => {
                let grace = Duration::from_millis(grace_ms);
                if let Some(action) = self.supervisor.stop(grace, Instant::now()) {
                    self.act(action);
                }
            }
            ToInit::Signal { app, signal } => {
                let chosen =
                    |running: &&RunningApp| app.as_ref().is_none_or(|a| *a == running.name);
                for running in self.apps.values().filter(chosen) {
                    let _ = sys::send_signal(running.process.pid, signal);
                }
            }
            ToInit::Exec { id, request } => match self.execute(&request, fds) {
                Ok((process, terminal)) => {
                    let started = FromInit::ExecStarted { id };
                    announce(monitor, &started, &process, terminal.as_ref())?;
                    self.commands.insert(process.pid, id);
                }
                Err(failure) => monitor.send(&FromInit::ExecFailed { id, failure }, &[])?,
            },
            ToInit::Peers(changes) => {
                let failure = self.hosts.update(&changes).err().map(|e| e.to_string());
                monitor.send(&FromInit::PeersTold { failure }, &[])?;
                // Settled again when this has passed.
                self.settles_at = Instant::now().checked_add(SETTLING);
            }
            other @ (ToInit::Setup(_) | ToInit::App(_) | ToInit::Sockets | ToInit::Start(_)) => {
                return Err(StartFailure::other(format!(
                    "{other:?} came after the start"
                )));
            }
        }
        Ok(())
    }

    fn execute(
        &self,
        request: &ExecRequest,
        fds: &[OwnedFd],
    ) -> Result<(Spawned, Option<OwnedFd>), StartFailure> {
        self.find(request.app.as_ref())?.execute(request, fds)
    }

    fn find(&self, name: Option<&AppName>) -> Result<&RunningApp, StartFailure> {
        match name {
            Some(name) => self
                .apps
                .values()
                .find(|app| app.name == *name)
                .ok_or_else(|| {
                    StartFailure::other(format!("no app called {name} runs in this pod"))
                }),
            None => match self.apps.len() {
                1 => self.apps.values().next(),
                _ => None,
            }
            .ok_or_else(|| {
                let names: Vec<&str> = self.apps.values().map(|app| app.name.as_str()).collect();
                StartFailure::other(format!("say which app with `--app`: {}", names.join(", ")))
            }),
        }
    }
}

/// Tells the monitor of a new process, with the descriptors by which it can follow it.
fn announce(
    monitor: &SeqPacket,
    message: &FromInit,
    process: &Spawned,
    terminal: Option<&OwnedFd>,
) -> Result<(), StartFailure> {
    let mut fds = vec![process.pidfd.as_fd()];
    fds.extend(terminal.map(AsFd::as_fd));
    Ok(monitor.send(message, &fds)?)
}
