//! Asks what the supervisor wants to know: commands in apps, and what pod init asks over the pod's network.

use std::time::{Duration, Instant};

use pod::AppName;
use pod::control::EventKind;
use pod::exit::{FailureKind, Outcome};
use pod::manifest::{ExecAction, HookAction, ProbeAction};
use supervisor::{Answer, CheckId, CheckKind, Event};

use super::check_output::{CheckOutput, TOLD_MAX};
use super::checks::Check;
use super::descriptors;
use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::supervising::health_check;
use crate::failure::{StartFailure, one_line};
use crate::link::HandedOver;
use crate::protocol::{ExecSpec, ProbeOutcome, ProbeSpec, ProcessStreams, ToInit};

/// How long a request of a hook may take, which has no time of its own.
const OF_HOOKS: Duration = Duration::from_secs(30);

/// What is to be done for a check.
enum Work {
    Command(ExecAction),
    Question(ProbeAction),
}

impl Monitor {
    /// Begins a check. The result is its answer, if that is known at once.
    pub(super) fn begin_check(
        &mut self,
        id: CheckId,
        app: AppName,
        kind: CheckKind,
        timeout: Option<Duration>,
    ) -> Option<Event> {
        let begun = match self.work(&app, kind) {
            Some(work) if !self.is_paused(&app) => self.begin(id, &app, kind, timeout, work),
            _ => Err(StartFailure::other("it can't be asked now")),
        };
        match begun {
            Ok(()) => None,
            Err(_) => Some(Event::Answered {
                id,
                answer: Answer::Unknown,
            }),
        }
    }

    /// What this kind is for this app.
    fn work(&self, app: &AppName, kind: CheckKind) -> Option<Work> {
        let app = self.manifest.app(app)?;
        let probe = match kind {
            CheckKind::Startup => &app.probes.startup,
            CheckKind::Readiness => &app.probes.readiness,
            CheckKind::Liveness => &app.probes.liveness,
            CheckKind::PostStart | CheckKind::PreStop => {
                let hook = match kind {
                    CheckKind::PostStart => app.hooks.post_start.as_ref()?,
                    _ => app.hooks.pre_stop.as_ref()?,
                };
                return match hook {
                    HookAction::Exec(exec) => Some(Work::Command(exec.clone())),
                    HookAction::HttpGet(get) => {
                        Some(Work::Question(ProbeAction::HttpGet(get.clone())))
                    }
                    HookAction::Sleep { .. } => None,
                };
            }
        };
        Some(match &probe.as_ref()?.action {
            ProbeAction::Exec(exec) => Work::Command(exec.clone()),
            other => Work::Question(other.clone()),
        })
    }

    fn begin(
        &mut self,
        id: CheckId,
        app: &AppName,
        kind: CheckKind,
        timeout: Option<Duration>,
        work: Work,
    ) -> Result<(), StartFailure> {
        self.commands += 1;
        let number = self.commands;
        let is_command = matches!(work, Work::Command(_));
        let mut outputs = Vec::new();
        let timeout = timeout.or_else(|| (!is_command).then_some(OF_HOOKS));
        match work {
            Work::Command(exec) => {
                if !descriptors::are_left(descriptors::OF_A_COMMAND) {
                    return Err(descriptors::too_many());
                }
                let (stdout, output) = self.init.open_output()?;
                let (stderr, error) = self.init.open_output()?;
                outputs.extend([output, error]);
                let spec = ExecSpec {
                    id: number,
                    app: Some(app.clone()),
                    argv: exec.args,
                    env: Vec::new(),
                    workdir: None,
                    user: None,
                    copy: None,
                    timeout_ms: None,
                    streams: ProcessStreams::Pipes {
                        stdin: None,
                        stdout,
                        stderr,
                    },
                };
                self.init
                    .send(&ToInit::Exec(Box::new(spec)), HandedOver::Nothing)?;
            }
            Work::Question(action) => {
                let timeout_ms = timeout.unwrap_or(OF_HOOKS).as_millis();
                let timeout_ms = u64::try_from(timeout_ms).unwrap_or(u64::MAX);
                let spec = ProbeSpec {
                    id: number,
                    action,
                    timeout_ms,
                };
                self.tell_init(&ToInit::Probe(Box::new(spec)))?;
            }
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        if let Some(supervision) = &mut self.supervision {
            supervision.checks.0.push(Check {
                id,
                number,
                app: app.clone(),
                kind,
                deadline,
                is_command,
                output: CheckOutput::new(outputs),
            });
        }
        Ok(())
    }

    fn is_paused(&self, app: &AppName) -> bool {
        self.apps
            .iter()
            .any(|record| record.name == *app && record.paused)
    }

    /// Nobody waits for this check any more.
    pub(super) fn abandon_check(&mut self, id: CheckId) -> Result<(), StartFailure> {
        let checks = self.supervision.as_mut().map(|one| &mut one.checks.0);
        let Some(checks) = checks else { return Ok(()) };
        let Some(place) = checks.iter().position(|check| check.id == id) else {
            return Ok(());
        };
        let check = checks.swap_remove(place);
        self.end_command_of(&check)
    }

    fn end_command_of(&mut self, check: &Check) -> Result<(), StartFailure> {
        match check.is_command {
            true => self.tell_init(&ToInit::EndCommand {
                id: check.number,
                grace_ms: 0,
            }),
            // Pod init has the same time for it.
            false => Ok(()),
        }
    }

    /// Ends checks that have taken too long.
    pub(super) fn end_overdue_checks(
        &mut self,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let now = Instant::now();
        let is_overdue = |check: &mut Check| check.deadline.is_some_and(|at| at <= now);
        let overdue: Vec<Check> = match &mut self.supervision {
            Some(supervision) => supervision.checks.0.extract_if(.., is_overdue).collect(),
            None => return Ok(()),
        };
        for check in overdue {
            self.end_command_of(&check)?;
            // What is frozen can't answer.
            let answer = match self.is_paused(&check.app) {
                true => Answer::Unknown,
                false => Answer::Failed,
            };
            self.answer_check(&check, answer, "there was no answer in time", isolator)?;
        }
        Ok(())
    }

    /// A command could not be started. Whether it was one of a check.
    pub(super) fn check_not_started(
        &mut self,
        number: u64,
        failure: &StartFailure,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(check) = self.take_check(number) else {
            return Ok(());
        };
        let answer = match failure.kind {
            // That is how it is with this image, and no accident.
            FailureKind::NotFound | FailureKind::NotExecutable => Answer::Failed,
            _ => Answer::Unknown,
        };
        self.answer_check(&check, answer, &failure.message, isolator)
    }

    /// A command has ended, which may be one of a check.
    pub(super) fn check_ended(
        &mut self,
        number: u64,
        outcome: Outcome,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(mut check) = self.take_check(number) else {
            return Ok(());
        };
        let answer = match outcome.is_success() {
            true => Answer::Passed,
            false => Answer::Failed,
        };
        let said = check.output.said();
        let reason = match said.is_empty() {
            true => format!("exit code {}", outcome.exit_code()),
            false => format!("exit code {}: {said}", outcome.exit_code()),
        };
        self.answer_check(&check, answer, &reason, isolator)
    }

    /// Pod init has asked.
    pub(super) fn probed(
        &mut self,
        number: u64,
        outcome: ProbeOutcome,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(check) = self.take_check(number) else {
            return Ok(());
        };
        let (answer, reason) = match outcome {
            ProbeOutcome::Passed => (Answer::Passed, String::new()),
            ProbeOutcome::Failed { reason } => (Answer::Failed, reason),
            ProbeOutcome::Unknown { reason } => (Answer::Unknown, reason),
        };
        self.answer_check(&check, answer, &reason, isolator)
    }

    fn take_check(&mut self, number: u64) -> Option<Check> {
        self.supervision.as_mut()?.checks.take(number)
    }

    fn answer_check(
        &mut self,
        check: &Check,
        answer: Answer,
        reason: &str,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        if answer != Answer::Passed
            && let Some(record) = self.record(&check.app)
        {
            let length = reason.floor_char_boundary(TOLD_MAX);
            let reason = one_line(reason.get(..length).unwrap_or_default());
            record.complaint = Some(format!("{}: {reason}", called(check.kind)));
        }
        if answer == Answer::Failed {
            let check_failed = EventKind::CheckFailed {
                check: health_check(check.kind),
            };
            self.emit(Some(check.app.clone()), check_failed);
        }
        let id = check.id;
        self.supervise(Event::Answered { id, answer }, isolator)
    }
}

fn called(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Startup => "startup probe",
        CheckKind::Readiness => "readiness probe",
        CheckKind::Liveness => "liveness probe",
        CheckKind::PostStart => "hook after the start",
        CheckKind::PreStop => "hook before the end",
    }
}
