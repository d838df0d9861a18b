//! All apps of a pod start again, by the rule of one of them.
//!
//! As Kubernetes does it (KEP-5532): what runs is killed at once, without hooks; when nothing runs any more and the one
//! that has wanted it has waited for as long as it would alone, each app has its turn again, init apps too.

use std::time::{Duration, Instant};

use pod::AppName;

use crate::action::Action;
use crate::member::{Member, State};
use crate::supervisor::{Phase, Supervisor};

impl Supervisor {
    /// Kills what runs. `delay` is how long the app waits that has wanted this.
    pub(crate) fn restart_all(&mut self, by: &AppName, delay: Duration, now: Instant) {
        let at = now.checked_add(delay).unwrap_or(now);
        self.phase = Phase::Restarting { at };
        self.actions.push(Action::RestartingAll(by.clone()));
        let mut waiting = vec![by.clone()];
        let mut dropped = Vec::new();
        for member in &mut self.members {
            match &mut member.state {
                State::BackingOff { .. } | State::Ended { .. } if !member.asked => {
                    member.state = State::Waiting;
                    if member.plan.name != *by {
                        waiting.push(member.plan.name.clone());
                    }
                }
                State::Waiting | State::BackingOff { .. } | State::Ended { .. } => {}
                State::Starting => self.actions.push(kill(&member.plan.name)),
                State::Running(run) => {
                    dropped.extend(run.drop_checks());
                    run.end_at_once(now);
                    self.actions.push(kill(&member.plan.name));
                }
            }
        }
        let waits = waiting.into_iter();
        self.actions
            .extend(waits.map(|app| Action::BackingOff { app, delay }));
        self.abandon(dropped);
    }

    /// An app that runs is killed, since all are to start again.
    pub(crate) fn kill_at_once(&mut self, app: &AppName, now: Instant) {
        let run = self.member(app).and_then(Member::run_mut);
        let dropped = run.map(|run| {
            run.end_at_once(now);
            run.drop_checks()
        });
        self.abandon(dropped.unwrap_or_default());
        self.actions.push(kill(app));
    }

    /// An app has come to have no process any more while all are to start again.
    pub(crate) fn wait_for_others(&mut self, app: &AppName, code: i32, now: Instant) {
        let Some(member) = self.member(app) else {
            return;
        };
        if member.asked {
            member.state = State::Ended { code };
            return;
        }
        member.state = State::Waiting;
        if let Phase::Restarting { at } = self.phase {
            let delay = at.saturating_duration_since(now);
            let app = app.clone();
            self.actions.push(Action::BackingOff { app, delay });
        }
    }

    /// When all begin to start again; `None` while one still runs.
    pub(crate) fn begins_again_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Restarting { at } if !self.members.iter().any(Member::is_alive) => Some(at),
            _ => None,
        }
    }

    /// Lets each app have its turn again, if it is time.
    pub(crate) fn begin_again(&mut self, now: Instant) {
        if self.begins_again_at().is_some_and(|at| at <= now) {
            self.phase = Phase::Starting;
            self.turns = 0;
        }
    }
}

fn kill(app: &AppName) -> Action {
    Action::Stop {
        app: app.clone(),
        grace: Duration::ZERO,
    }
}
