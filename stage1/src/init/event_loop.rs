//! Pod init's loop: start, reap, obey the monitor, end.

mod waiting;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use pod::AppName;
use pod::exit::Outcome;
use pod::manifest::{HostNamespace, UserNamespace};
use pod::selinux::Context;
use rustix::io::Errno;

use super::abandoned::Abandoned;
use super::cgroups;
use super::ground::Ground;
use super::hosts_file::HostsFile;
use super::leftovers::Leftovers;
use super::overdue::Overdue;
use super::pod_memory::PodMemory;
use super::probes::Probes;
use super::reach::Reach;
use super::starts::Starts;
use super::supervisor::{Action, Supervisor};
use crate::app::devices::DeviceBounds;
use crate::app::launch::{PodContext, PodSetup, PreparedApp, RunningCommand};
use crate::app::running_app::RunningApp;
use crate::failure::StartFailure;
use crate::link::{Enclosed, HandedOver, InitRequest, MonitorLink, StreamEnds};
use crate::protocol::{ExecSpec, FromInit, ProbeOutcome, Setup, ToInit};
use crate::settling::Settling;
use crate::sys::{self, ChildEnd, EndedChild};

/// The pod as pod init sees it.
#[derive(Debug)]
pub(crate) struct Pod {
    hostname: String,
    /// What each app gets of devices.
    bounds: DeviceBounds,
    /// The pod's own user namespace, if it has one.
    user_namespace: Option<UserNamespace>,
    /// The label of SELinux of its message queues.
    queue_label: Option<Context>,
    /// Whether apps are in the host's cgroup namespace.
    host_cgroups: bool,
    /// How all of it is ended.
    pub(super) reach: Reach,
    /// The capabilities that pod init has kept, as far as the caller had them, and so can give an app.
    pub(super) held_capabilities: u64,
    /// Whether executing a program can give privileges to what is in the pod.
    pub(super) new_privileges: bool,
    hosts: HostsFile,
    pub(super) supervisor: Supervisor,
    /// Apps and commands on their way to their programs.
    pub(super) starts: Starts,
    /// Apps that run.
    pub(super) apps: BTreeMap<AppName, RunningApp>,
    /// Commands that run, by the monitor's number for each.
    pub(super) commands: BTreeMap<u64, RunningCommand>,
    /// Commands whose clients have gone.
    pub(super) abandoned: Abandoned,
    /// Commands that may run for so long only.
    pub(super) overdue: Overdue,
    /// What apps that have ended left running.
    pub(super) leftovers: Leftovers,
    /// Commands that wait until an app runs.
    pub(super) waiting: Vec<(ExecSpec, StreamEnds)>,
    /// Whether all apps run, or have run, that the pod begins with.
    pub(super) started: bool,
    /// Whether the pod was asked to end.
    pub(super) stop_requested: bool,
    /// Apps that ended before all had started.
    pub(super) early_ends: Vec<(RunningApp, Outcome)>,
    /// Questions on their way over the pod's network.
    probes: Probes,
    settling: Settling,
    /// The memory of all apps, where pod init has their cgroups.
    pub(super) memory: Option<PodMemory>,
}

impl Pod {
    /// A pod that begins with these apps.
    pub(crate) fn new(
        setup: Setup,
        hosts: HostsFile,
        apps: Vec<PreparedApp>,
        held_capabilities: u64,
        memory: Option<PodMemory>,
    ) -> Self {
        let grace = Duration::from_millis(setup.grace_period_ms);
        let mut supervisor = Supervisor::new(setup.lifetime, setup.on_app_failure, grace);
        for app in &apps {
            supervisor.app_starting(app.name().clone());
        }
        let settling = Settling::default();
        settling.begin();
        Self {
            bounds: DeviceBounds::of(&setup),
            queue_label: setup.queue_label().cloned(),
            host_cgroups: setup.host_namespaces.contains(&HostNamespace::Cgroup),
            reach: Reach::own(),
            hostname: setup.hostname,
            user_namespace: setup.user_namespace,
            held_capabilities,
            new_privileges: setup.new_privileges,
            hosts,
            supervisor,
            starts: Starts::of(apps),
            apps: BTreeMap::new(),
            commands: BTreeMap::new(),
            abandoned: Abandoned::default(),
            overdue: Overdue::default(),
            leftovers: Leftovers::default(),
            waiting: Vec::new(),
            started: false,
            stop_requested: false,
            early_ends: Vec::new(),
            probes: Probes::default(),
            settling,
            memory,
        }
    }

    /// What an app has of the pod.
    pub(super) fn context(&self) -> PodContext<'_> {
        PodContext {
            hostname: &self.hostname,
            // As far as pod init knows.
            bounding: self.held_capabilities,
            host_cgroups: self.host_cgroups,
            target: None,
        }
    }

    /// The same for this one.
    ///
    /// # Errors
    /// If the app does not run whose pid namespace it is to join, or that has none of its own.
    pub(super) fn context_of(&self, app: &PreparedApp) -> Result<PodContext<'_>, StartFailure> {
        let target = app.processes_of().map(|target| {
            let running = self.apps.get(target);
            let processes = running.and_then(RunningApp::own_processes);
            processes.ok_or_else(|| {
                let why = match running {
                    Some(_) => "has none of its own (--pid=private)",
                    None => "does not run",
                };
                let name = app.name();
                StartFailure::other(format!(
                    "app {name} can't join the processes of app {target}, which {why}"
                ))
            })
        });
        Ok(PodContext {
            target: target.transpose()?,
            ..self.context()
        })
    }

    /// What it is to its apps from the beginning.
    pub(super) fn setup(&self) -> PodSetup<'_> {
        PodSetup {
            bounds: self.bounds,
            user_namespace: self.user_namespace.as_ref(),
            queue_label: self.queue_label.as_ref(),
        }
    }

    /// Runs until the pod's end. The result is its exit code.
    pub(crate) fn run(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
    ) -> Result<i32, StartFailure> {
        // It is blocked since before there were children, so that it waits here if one has ended.
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&children, flags)
            .map_err(StartFailure::os("listen for ended processes"))?;
        loop {
            self.begin_next(link)?;
            self.take_early_ends(link)?;
            self.execute_waiting(link)?;
            self.keep_time(link)?;
            if let Some(exit_code) = self.supervisor.finished() {
                return match self.started {
                    true => Ok(exit_code),
                    false => Err(StartFailure::other(
                        "the pod was stopped while it was being started",
                    )),
                };
            }
            if self.started {
                // No start waits for this.
                self.apps.values_mut().for_each(RunningApp::watch_memory);
            }
            let events = self.wait(&signals, link)?;
            self.memory_ran_out(&events.memory);
            let probed = self.probes.advance(&events.probes);
            tell_probed(link, probed)?;
            self.take_reports(link, &events.starts)?;
            if events.ended {
                // Before they are reaped, so that of one that ends meanwhile is told anew.
                let _ = signals.read_signal();
                self.reap(link)?;
            }
            for request in link.advance(&events.link)? {
                self.handle(link, ground, request)?;
            }
        }
    }

    /// Does what was put off until now.
    fn keep_time(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        while let Some(action) = self.supervisor.tick(Instant::now()) {
            self.act(link, action)?;
        }
        let now = Instant::now();
        self.abandoned.kill_overdue(now);
        self.overdue.kill(&self.commands, now);
        self.leftovers.look_again(now);
        self.look_at_memory(link, now)?;
        tell_probed(link, self.probes.give_up_overdue(now))?;
        self.give_up_overdue(link)
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
            self.ended_while_starting(link, pid)?;
            self.ended(link, pid, outcome)?;
        }
        Ok(())
    }

    /// Whether what an app's end comes to waits until all apps have started: an app that fails ends a pod, not a start.
    fn ends_early(&self, app: &AppName) -> bool {
        !self.started && !self.stop_requested && !self.supervisor.was_asked(app)
    }

    fn take_early_ends(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        for (app, outcome) in std::mem::take(&mut self.early_ends) {
            match self.ends_early(&app.name) {
                true => self.early_ends.push((app, outcome)),
                false => self.app_ended(link, app, outcome)?,
            }
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
        if let Some((name, app)) = self.apps.extract_if(.., |_, app| is_main(app)).next() {
            if self.ends_early(&name) {
                self.early_ends.push((app, outcome));
                return Ok(());
            }
            return self.app_ended(link, app, outcome);
        }
        let command = self
            .commands
            .extract_if(.., |_, command| command.process.pid == pid)
            .next();
        if let Some((id, command)) = command {
            drop(command);
            self.abandoned.ended(pid);
            let message = FromInit::ExecExited {
                id,
                outcome,
                timed_out: self.overdue.ended(id),
            };
            link.send(&message, Enclosed::default())?;
        }
        Ok(())
    }

    fn app_ended(
        &mut self,
        link: &mut dyn MonitorLink,
        app: RunningApp,
        outcome: Outcome,
    ) -> Result<(), StartFailure> {
        let (outcome, out_of_memory) = self.with_reason(&app, outcome);
        let message = FromInit::AppExited {
            app: app.name.clone(),
            outcome,
            oom_kills: self.memory.is_some().then(|| app.seat.oom_kills()),
            out_of_memory,
        };
        let code = outcome.exit_code();
        let action = self.supervisor.app_exited(&app.name, code, Instant::now());
        // Its terminal is closed: what it wrote has an end. Whoever is told may need the descriptors that it had.
        let seat = app.into_seat();
        if self.supervisor.finished().is_none() || self.reach == Reach::Cgroups {
            // What the app left running would otherwise outlive it by as long as the pod, or outlive the pod.
            self.leftovers.kill(seat);
        }
        link.send(&message, Enclosed::default())?;
        if let Some(action) = action {
            self.act(link, action)?;
        }
        Ok(())
    }

    fn act(&mut self, link: &mut dyn MonitorLink, action: Action) -> Result<(), StartFailure> {
        // A process that is gone already is what was wanted.
        match action {
            Action::SignalApps => {
                for app in self.apps.values() {
                    let _ = sys::send_signal(app.process.pid, app.stop_signal);
                }
                self.stop_starts(link)?;
            }
            Action::KillAll => {
                self.kill_everything();
                self.stop_starts(link)?;
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
                } else if self.starts.stop_app(&name) {
                    self.app_was_stopped(link, name)?;
                }
            }
        }
        Ok(())
    }

    fn stop_starts(&mut self, link: &mut dyn MonitorLink) -> Result<(), StartFailure> {
        for name in self.starts.stop_apps() {
            self.app_was_stopped(link, name)?;
        }
        Ok(())
    }

    fn handle(
        &mut self,
        link: &mut dyn MonitorLink,
        ground: &mut dyn Ground,
        request: InitRequest,
    ) -> Result<(), StartFailure> {
        let InitRequest {
            message,
            streams,
            handed_over,
        } = request;
        match message {
            ToInit::Stop { grace_ms } => {
                self.take_late_reports(link)?;
                self.stop_requested = true;
                let grace = Duration::from_millis(grace_ms);
                if let Some(action) = self.supervisor.stop(grace, Instant::now()) {
                    self.act(link, action)?;
                }
            }
            ToInit::App(spec) => {
                self.join(link, ground, *spec, streams, handed_over)?;
                self.settling.begin();
            }
            ToInit::StopApp { app, grace_ms } => {
                self.take_late_reports(link)?;
                let grace = Duration::from_millis(grace_ms);
                if let Some(action) = self.supervisor.stop_app(&app, grace, Instant::now()) {
                    self.act(link, action)?;
                }
            }
            ToInit::ForgetApp { app } => self.supervisor.app_removed(&app),
            ToInit::Signal { app, signal } => {
                let chosen =
                    |running: &&RunningApp| app.as_ref().is_none_or(|a| *a == running.name);
                for running in self.apps.values().filter(chosen) {
                    let _ = sys::send_signal(running.process.pid, signal);
                }
                self.starts.signal(app.as_ref(), signal);
            }
            ToInit::Exec(spec) => match handed_over {
                HandedOver::Lost => {
                    let lost = StartFailure::os("take the streams of a command")(Errno::MFILE);
                    let failed = FromInit::ExecFailed {
                        id: spec.id,
                        failure: lost,
                    };
                    link.send(&failed, Enclosed::default())?;
                }
                _ => self.execute(link, *spec, streams)?,
            },
            ToInit::EndCommand { id, grace_ms } => {
                self.take_late_reports(link)?;
                self.end_command(id, Duration::from_millis(grace_ms));
            }
            ToInit::Probe(spec) => {
                let outcome = self.probes.begin(&spec, Instant::now());
                tell_probed(link, outcome.map(|outcome| (spec.id, outcome)))?;
            }
            ToInit::Resize { terminal, size } => self.resize(terminal, size),
            ToInit::Cgroups { id, request } => {
                let answer = cgroups::answer(ground.cgroups(), request);
                link.send(&FromInit::Cgroups { id, answer }, Enclosed::default())?;
            }
            ToInit::Peers(changes) => {
                let failure = self.hosts.update(&changes).err().map(|e| e.to_string());
                link.send(&FromInit::PeersUpdated { failure }, Enclosed::default())?;
                // Settled again when this has passed.
                self.settling.begin();
            }
            other @ (ToInit::Setup(_) | ToInit::Start(_)) => {
                return Err(StartFailure::other(format!(
                    "{other:?} came after the start"
                )));
            }
        }
        Ok(())
    }

    /// The app that runs under this name, or the only one.
    pub(super) fn find(&self, name: Option<&AppName>) -> Result<&RunningApp, StartFailure> {
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
                StartFailure::other(match names.as_slice() {
                    [] => "no app runs in this pod".to_owned(),
                    names => format!("no app is named, and several run: {}", names.join(", ")),
                })
            }),
        }
    }
}

pub(super) const SIGKILL: i32 = Signal::SIGKILL as i32;

fn tell_probed(
    link: &mut dyn MonitorLink,
    probed: impl IntoIterator<Item = (u64, ProbeOutcome)>,
) -> Result<(), StartFailure> {
    for (id, outcome) in probed {
        link.send(&FromInit::Probed { id, outcome }, Enclosed::default())?;
    }
    Ok(())
}
