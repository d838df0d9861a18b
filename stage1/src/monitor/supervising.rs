//! The shell around the supervisor: tells it what has happened, and does what it says.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pod::AppName;
use pod::control::{EventKind, HealthCheck};
use pod::timestamp::Timestamp;
use supervisor::{Action, CheckKind, EndCause, Event};

use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::joining::Joining;
use super::records::AppRecord;
use crate::failure::StartFailure;
use crate::protocol::ToInit;

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
                let by = health_check(by);
                if let Some(record) = self.record(&app) {
                    record.is_condemned = true;
                }
                self.emit(Some(app), EventKind::Unhealthy { by });
            }
            Action::RestartingAll(app) => {
                self.emit(Some(app), EventKind::RestartingAll);
                // What is frozen can't be ended.
                self.resume_all(isolator)?;
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
                self.kill_init_soon(Duration::ZERO, isolator);
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
        let is_ending = self.stop_requested || self.supervised_end();
        let code = match is_ending {
            // It was killed on its way.
            true => 128 + 9,
            false => failure.kind.exit_code(),
        };
        let was_ready = self.supervision.as_ref().is_some_and(|one| one.was_ready);
        let ran_before = self.record(app).is_some_and(|record| record.end.is_some());
        if (was_ready || ran_before) && !is_ending {
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

    /// Why the pod has ended, where that is not what its apps did by themselves.
    pub(super) fn why_ended(&self) -> Option<String> {
        match self.supervision.as_ref()?.end.as_ref()? {
            EndCause::Failed(_) | EndCause::Done => self.apps.iter().find_map(AppRecord::condemned),
            EndCause::Deadline => {
                let seconds = self.manifest.active_deadline_seconds?;
                Some(format!(
                    "it was ended after {seconds} s, which is as long as it may run"
                ))
            }
            EndCause::Asked | EndCause::NotStarted(_) => None,
        }
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

/// The word of events for a kind of check.
pub(super) fn health_check(kind: CheckKind) -> HealthCheck {
    match kind {
        CheckKind::Startup => HealthCheck::Startup,
        CheckKind::Readiness => HealthCheck::Readiness,
        CheckKind::Liveness => HealthCheck::Liveness,
        CheckKind::PostStart => HealthCheck::PostStart,
        CheckKind::PreStop => HealthCheck::PreStop,
    }
}

fn readiness(ready: bool) -> EventKind {
    match ready {
        true => EventKind::Ready,
        false => EventKind::NotReady,
    }
}
