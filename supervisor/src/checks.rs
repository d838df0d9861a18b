//! Probes and hooks of running apps: asked, and answered.

use std::time::{Duration, Instant};

use crate::action::{Action, CheckId, CheckKind};
use crate::event::Answer;
use crate::member::{Hook, State};
use crate::probing::{Probing, Verdict};
use crate::supervisor::{Phase, Supervisor};

impl Supervisor {
    /// Asks what is to be asked now.
    pub(crate) fn ask(&mut self, now: Instant) {
        let is_ending = matches!(self.phase, Phase::Ending { .. });
        let mut checks = self.checks;
        let mut questions = Vec::new();
        for member in &mut self.members {
            let app = &member.plan.name;
            let State::Running(run) = &mut member.state else {
                continue;
            };
            let has_come_up = run.has_come_up();
            let is_free = run.post_start == Hook::Over;
            let is_alive = run.ending.is_none() && !is_ending;
            let since = run.since;
            for (kind, probing, may_ask) in [
                (
                    CheckKind::Startup,
                    &mut run.startup,
                    is_alive && is_free && !has_come_up,
                ),
                (CheckKind::Readiness, &mut run.readiness, has_come_up),
                (
                    CheckKind::Liveness,
                    &mut run.liveness,
                    is_alive && has_come_up,
                ),
            ] {
                let Some(probing) = probing else { continue };
                questions.extend(turn(probing, may_ask, since, now, &mut checks).map(|step| {
                    match step {
                        Question::Asked(id, timeout) => Action::Check {
                            id,
                            app: app.clone(),
                            kind,
                            timeout: Some(timeout),
                        },
                        Question::Dropped(id) => Action::Abandon(id),
                    }
                }));
            }
        }
        self.checks = checks;
        self.actions.append(&mut questions);
    }

    /// Takes what a check came to.
    pub(crate) fn answered(&mut self, id: CheckId, answer: Answer, now: Instant) {
        let mut unwell = None;
        for member in &mut self.members {
            let State::Running(run) = &mut member.state else {
                continue;
            };
            let probes = [
                (CheckKind::Startup, &mut run.startup),
                (CheckKind::Readiness, &mut run.readiness),
                (CheckKind::Liveness, &mut run.liveness),
            ];
            for (kind, probing) in probes {
                let Some(probing) = probing else { continue };
                if probing.answered(id, answer, now)
                    && kind != CheckKind::Readiness
                    && probing.verdict == Verdict::Failed
                {
                    // It rests until there is a new process.
                    probing.rest();
                    unwell = Some((member.plan.name.clone(), kind, probing.grace));
                }
            }
            if run.post_start == Hook::Called(id) {
                run.post_start = Hook::Over;
                if answer != Answer::Passed {
                    unwell = Some((member.plan.name.clone(), CheckKind::PostStart, None));
                }
            }
            if let Some(ending) = &mut run.ending
                && ending.pre_stop == Hook::Called(id)
            {
                // Whatever it came to: the signal follows.
                ending.pre_stop = Hook::Over;
            }
        }
        if let Some((app, by, grace)) = unwell {
            let grace = grace.unwrap_or(self.plan.grace);
            self.end_unwell(&app, by, grace, now);
        }
    }
}

enum Question {
    Asked(CheckId, Duration),
    Dropped(CheckId),
}

/// Lets a probe ask or rest.
fn turn(
    probing: &mut Probing,
    may_ask: bool,
    since: Instant,
    now: Instant,
    checks: &mut u64,
) -> Option<Question> {
    if !may_ask {
        return probing.rest().map(Question::Dropped);
    }
    probing.begin_unless_begun(since, now);
    let id = CheckId(*checks + 1);
    let timeout = probing.ask(id, now)?;
    *checks += 1;
    Some(Question::Asked(id, timeout))
}
