//! The shell around the supervisor: tells it what has happened, and does what it says. A pod that needs none has none.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pod::AppName;
use pod::activation::{ActivationSocket, ActivationSockets, SocketName};
use pod::control::{EventKind, HealthCheck};
use pod::exit::FailureKind;
use pod::manifest::PodManifest;
use pod::timestamp::Timestamp;
use supervisor::{Action, CheckKind, EndCause, Event, Plan, Supervisor};

use super::checks::Checks;
use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::joining::Joining;
use crate::failure::StartFailure;
use crate::protocol::ToInit;

/// What a pod has whose apps need more than one start each, all at once.
#[derive(Debug)]
pub(super) struct Supervision {
    supervisor: Supervisor,
    /// Its probes and hooks on their way.
    pub(super) checks: Checks,
    /// What a service manager hands to the apps: to each of their starts.
    sockets: BTreeMap<AppName, Vec<ActivationSocket>>,
    /// Whether the pod has been ready.
    was_ready: bool,
    /// Why the pod ends, once it does.
    end: Option<EndCause>,
    /// Why the last app did not start that did not.
    not_started: Option<StartFailure>,
    /// The pod's exit code, once no app runs any more.
    exit_code: Option<i32>,
}

/// What the end of pod init means to a supervised pod.
#[derive(Debug)]
pub(super) enum PodOutcome {
    /// It has run, with this exit code.
    Ended(i32),
    /// Its first apps could not be started.
    NotStarted(StartFailure),
}

impl Supervision {
    /// What this pod needs; `None` if its apps just start.
    pub(super) fn of(manifest: &PodManifest) -> Option<Self> {
        Plan::of(manifest).map(|plan| Self {
            supervisor: Supervisor::new(plan),
            checks: Checks::default(),
            sockets: BTreeMap::new(),
            was_ready: false,
            end: None,
            not_started: None,
            exit_code: None,
        })
    }

    /// The same with what a service manager hands to the apps.
    pub(super) fn with_sockets(
        mut self,
        manifest: &PodManifest,
        sockets: ActivationSockets,
    ) -> Self {
        let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
        let assigned = sockets.assign(&names);
        let named = names.into_iter().cloned().zip(assigned);
        self.sockets = named.filter(|(_, sockets)| !sockets.is_empty()).collect();
        self
    }

    /// The sockets of one start of an app.
    pub(super) fn sockets_of(
        &self,
        app: &AppName,
    ) -> Result<(Vec<SocketName>, Vec<OwnedFd>), StartFailure> {
        let sockets = self.sockets.get(app).into_iter().flatten();
        let copies = sockets.map(|socket| Ok((socket.name.clone(), socket.fd.try_clone()?)));
        let copies: std::io::Result<Vec<_>> = copies.collect();
        let copies = copies.map_err(StartFailure::os(format_args!(
            "duplicate the sockets of app {app}"
        )))?;
        Ok(copies.into_iter().unzip())
    }

    /// When something is to be done, though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.supervisor
            .due()
            .into_iter()
            .chain(self.checks.due())
            .min()
    }

    /// Whether the pod has been ready.
    pub(super) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// What it comes to that pod init has ended with this code.
    pub(super) fn outcome(&mut self, code: i32) -> PodOutcome {
        let is_early = !self.was_ready && matches!(self.end, Some(EndCause::NotStarted(_)));
        match self.not_started.take().filter(|_| is_early) {
            Some(failure) => PodOutcome::NotStarted(failure),
            None => PodOutcome::Ended(self.exit_code.unwrap_or(code)),
        }
    }
}

impl Monitor {
    /// Whether the supervisor ends the pod.
    pub(super) fn supervised_end(&self) -> bool {
        let supervision = self.supervision.as_ref();
        supervision.is_some_and(|supervision| supervision.end.is_some())
    }

    /// Tells the supervisor, if there is one, what has happened, and does what it says.
    pub(super) fn supervise(
        &mut self,
        event: Event,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let Some(supervision) = self.supervision.as_mut().filter(|_| !self.init_is_dead) else {
                return Ok(());
            };
            for action in supervision.supervisor.handle(event, Instant::now()) {
                let event = self.perform(action, isolator)?;
                events.extend(event);
            }
        }
        Ok(())
    }

    /// Does what the supervisor's time has come for.
    pub(super) fn keep_supervising(
        &mut self,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let due = self.supervision.as_ref().and_then(|one| one.due());
        match due.is_some_and(|due| due <= Instant::now()) {
            true => {
                self.end_overdue_checks(isolator)?;
                self.supervise(Event::Time, isolator)
            }
            false => Ok(()),
        }
    }

    /// Does one thing. The result is what has come of it at once.
    fn perform(
        &mut self,
        action: Action,
        isolator: &mut dyn Isolator,
    ) -> Result<Option<Event>, StartFailure> {
        match action {
            Action::Start(app) => {
                if let Err(failure) = self.start_supervised(&app, isolator) {
                    return Ok(Some(self.not_started(&app, failure, isolator)));
                }
            }
            Action::Stop { app, grace } => self.stop_app(&app, grace, isolator)?,
            Action::Check {
                id,
                app,
                kind,
                timeout,
            } => {
                if kind == CheckKind::PreStop {
                    // What is frozen can do nothing before its end.
                    self.resume(&app, isolator)?;
                }
                return Ok(self.begin_check(id, app, kind, timeout));
            }
            Action::Abandon(id) => self.abandon_check(id)?,
            Action::AppReady { app, ready } => {
                if let Some(record) = self.record(&app) {
                    record.ready = Some(ready);
                }
                self.emit(Some(app), readiness(ready));
            }
            Action::PodReady(ready) => {
                if let Some(supervision) = &mut self.supervision {
                    supervision.was_ready |= ready;
                }
                self.emit(None, readiness(ready));
            }
            Action::Unhealthy { app, by } => {
                let by = match by {
                    CheckKind::Liveness | CheckKind::Readiness => HealthCheck::Liveness,
                    CheckKind::Startup => HealthCheck::Startup,
                    CheckKind::PostStart | CheckKind::PreStop => HealthCheck::PostStart,
                };
                self.emit(Some(app), EventKind::Unhealthy { by });
            }
            Action::BackingOff { app, delay } => self.backs_off(app, delay),
            Action::Ending(cause) => {
                if cause != EndCause::Asked {
                    self.emit(None, EventKind::Stopping);
                }
                if let Some(supervision) = &mut self.supervision {
                    supervision.end = Some(cause);
                }
                for record in &mut self.apps {
                    record.next_start = None;
                }
                // What is frozen hears nothing of that.
                self.resume_all(isolator)?;
            }
            Action::Over { exit_code } => {
                if let Some(supervision) = &mut self.supervision {
                    supervision.exit_code = Some(exit_code);
                }
                self.kill_init_soon(Duration::ZERO);
                self.tell_init(&ToInit::Stop { grace_ms: 0 })?;
            }
        }
        Ok(None)
    }

    fn start_supervised(
        &mut self,
        name: &AppName,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(app) = self.manifest.app(name).cloned() else {
            return Err(StartFailure::other(format!("app {name} has left the pod")));
        };
        let record = self.known(name)?;
        let joining = match record.started.is_some() || record.end.is_some() {
            true => Joining::Again,
            false => Joining::AtStart,
        };
        self.launch(&app, joining, isolator)
    }

    /// An app that was to start does not run. The result is what the supervisor is to be told.
    pub(super) fn not_started(
        &mut self,
        app: &AppName,
        failure: StartFailure,
        isolator: &mut dyn Isolator,
    ) -> Event {
        let code = match self.stop_requested || self.supervised_end() {
            // It was killed on its way.
            true => 128 + 9,
            false => failure.kind.exit_code(),
        };
        let has_begun = self.supervision.as_ref().is_some_and(|one| one.was_ready);
        if has_begun && failure.kind != FailureKind::Other {
            // Else only who asks for its state would hear of it.
            self.diagnostics
                .tell(&format!("app {app}: {}", failure.message));
        }
        self.app_failed(app, failure.clone(), isolator);
        if let Some(supervision) = &mut self.supervision {
            supervision.not_started = Some(failure);
        }
        let app = app.clone();
        Event::NotStarted { app, code }
    }

    fn backs_off(&mut self, app: AppName, delay: Duration) {
        if let Some(record) = self.record(&app) {
            let at = std::time::SystemTime::now().checked_add(delay);
            record.next_start = at.map(Timestamp::from);
        }
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.emit(Some(app), EventKind::BackingOff { delay_ms });
    }

    /// Ends an app that somebody has asked to end.
    pub(super) fn end_app(
        &mut self,
        app: &AppName,
        grace: Duration,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        if self.supervision.is_none() {
            return self.stop_app(app, grace, isolator);
        }
        self.resume(app, isolator)?;
        if let Some(record) = self.record(app) {
            record.next_start = None;
        }
        let app = app.clone();
        self.supervise(Event::StopApp { app, grace }, isolator)
    }
}

fn readiness(ready: bool) -> EventKind {
    match ready {
        true => EventKind::Ready,
        false => EventKind::NotReady,
    }
}
