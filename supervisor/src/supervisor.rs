//! The supervisor: takes what has happened, and says what has to be done.

use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::{AppFailure, Role};

use crate::action::{Action, CheckId, CheckKind, EndCause};
use crate::event::Event;
use crate::member::{Condition, Hook, Member, Next, Run, State};
use crate::plan::{AppPlan, Plan};

/// The exit code of a pod that has run for as long as it may: that of timeout(1).
pub(crate) const OUT_OF_TIME: i32 = 124;

/// Decides for one pod.
#[derive(Debug)]
pub struct Supervisor {
    pub(crate) plan: Plan,
    /// Init apps and sidecars in their order, then the others in theirs.
    pub(crate) members: Vec<Member>,
    pub(crate) phase: Phase,
    /// How many have had their turn.
    pub(crate) turns: usize,
    /// When it has run for as long as it may.
    pub(crate) deadline: Option<Instant>,
    pub(crate) told_ready: bool,
    pub(crate) checks: u64,
    pub(crate) actions: Vec<Action>,
}

/// Where the pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is not there yet.
    New,
    /// One app after the other has its turn.
    Starting,
    /// Each has had its turn.
    Running,
    /// All are ended, and have their turns again then.
    Restarting {
        at: Instant,
    },
    Ending {
        until: Instant,
        /// The code of who has ended it.
        code: Option<i32>,
    },
    Over,
}

/// How an app has come to have no process any more.
#[derive(Debug, Clone, Copy)]
struct AppEnd {
    code: i32,
    /// Whether a probe or a hook has ended it, or it could not be started.
    is_failure: bool,
    was_signalled: bool,
    has_run: Duration,
}

/// An app, for who looks at it from outside.
#[derive(Debug, Clone, Copy)]
pub struct AppView<'a> {
    /// Its name.
    pub name: &'a AppName,
    /// Where it is.
    pub condition: Condition,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// Whether it serves.
    pub is_ready: bool,
}

impl Supervisor {
    /// For a pod that has not begun.
    pub fn new(mut plan: Plan) -> Self {
        let mut members: Vec<_> = plan.apps.drain(..).map(Member::new).collect();
        members.sort_by_key(|member| member.plan.role == Role::Main);
        Self {
            plan,
            members,
            phase: Phase::New,
            turns: 0,
            deadline: None,
            told_ready: false,
            checks: 0,
            actions: Vec::new(),
        }
    }

    /// Takes what has happened. The result is what has to be done, in this order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Begun => self.begin(now),
            Event::Started(app) => self.app_started(&app, now),
            Event::NotStarted { app, code } => self.app_not_started(&app, code, now),
            Event::Exited { app, code } => self.app_exited(&app, code, now),
            Event::Answered { id, answer } => self.answered(id, answer, now),
            Event::Notified(app) => {
                if let Some(run) = self.member(&app).and_then(Member::run_mut) {
                    run.notified = true;
                }
            }
            Event::StopPod { grace } => self.stop_pod(grace, now),
            Event::StopApp { app, grace } => self.stop_app(&app, grace, now),
            Event::Starting(app) => self.starting_by_hand(&app),
            Event::Added(plan) => self.add(*plan),
            Event::Removed(app) => self
                .members
                .retain(|member| member.plan.name != app || member.is_alive()),
            Event::Time => {}
        }
        self.keep_time(now);
        self.settle(now);
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Time`] has to be told at the latest.
    pub fn due(&self) -> Option<Instant> {
        let of_members = self
            .members
            .iter()
            .filter_map(|member| match &member.state {
                State::BackingOff { until, .. } => Some(*until),
                State::Running(run) => run.due(),
                State::Waiting | State::Starting | State::Ended { .. } => None,
            });
        let is_ending = matches!(self.phase, Phase::Ending { .. } | Phase::Over);
        let deadline = self.deadline.filter(|_| !is_ending);
        of_members
            .chain(deadline)
            .chain(self.forced_at())
            .chain(self.begins_again_at())
            .min()
    }

    /// Whether the pod is ready, as it was last told.
    pub fn is_ready(&self) -> bool {
        self.told_ready
    }

    /// All apps.
    pub fn apps(&self) -> impl Iterator<Item = AppView<'_>> {
        self.members.iter().map(|member| AppView {
            name: &member.plan.name,
            condition: member.condition(),
            restarts: member.restarts,
            is_ready: member.run().is_some_and(Run::is_ready),
        })
    }

    pub(crate) fn member(&mut self, app: &AppName) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.plan.name == *app)
    }

    fn begin(&mut self, now: Instant) {
        if self.phase == Phase::New {
            self.phase = Phase::Starting;
            self.deadline = self
                .plan
                .deadline
                .and_then(|length| now.checked_add(length));
        }
    }

    fn add(&mut self, plan: AppPlan) {
        if self.member(&plan.name).is_none() {
            let mut member = Member::new(plan);
            // Its turn is when somebody says so.
            member.has_joined = self.phase != Phase::Starting;
            self.members.push(member);
            if self.phase != Phase::Starting {
                self.turns = self.members.len();
            }
        }
    }

    fn starting_by_hand(&mut self, app: &AppName) {
        if let Some(member) = self.member(app)
            && !member.is_alive()
        {
            member.state = State::Starting;
            member.asked = false;
            member.had_start = true;
            member.restarts = 0;
            member.back_off = Default::default();
        }
    }

    fn app_started(&mut self, app: &AppName, now: Instant) {
        let id = self.next_check();
        let Some(member) = self.member(app) else {
            return;
        };
        if !matches!(member.state, State::Starting) {
            return;
        }
        member.had_start = true;
        let mut run = Run::new(&member.plan, now);
        let hook = member.plan.hooks.post_start.as_ref();
        run.post_start = hook.map_or(Hook::Over, |hook| Hook::begin(hook, id, now));
        let called = run.post_start == Hook::Called(id);
        member.state = State::Running(Box::new(run));
        if called {
            self.actions.push(Action::Check {
                id,
                app: app.clone(),
                kind: CheckKind::PostStart,
                timeout: None,
            });
        }
        match self.phase {
            Phase::Ending { until, .. } => self.end_app(app, until, false, now),
            Phase::Restarting { .. } => self.kill_at_once(app, now),
            Phase::New | Phase::Starting | Phase::Running | Phase::Over => {}
        }
    }

    fn app_not_started(&mut self, app: &AppName, code: i32, now: Instant) {
        let is_ending = matches!(self.phase, Phase::Ending { .. });
        let is_restarting = matches!(self.phase, Phase::Restarting { .. });
        let Some(member) = self.member(app) else {
            return;
        };
        if !matches!(member.state, State::Starting) {
            return;
        }
        let is_first = !std::mem::replace(&mut member.had_start, true) && !member.asked;
        if is_first && !is_ending && !is_restarting {
            // What can't be started even once is a mistake that waiting does not mend.
            member.state = State::Ended { code };
            let cause = EndCause::NotStarted(app.clone());
            self.begin_to_end(self.plan.grace, Some(code), cause, now);
        } else {
            let end = AppEnd {
                code,
                is_failure: true,
                was_signalled: false,
                has_run: Duration::ZERO,
            };
            self.app_ended(app, end, now);
        }
    }

    fn app_exited(&mut self, app: &AppName, code: i32, now: Instant) {
        let Some(member) = self.member(app) else {
            return;
        };
        let mut end = AppEnd {
            code,
            is_failure: false,
            was_signalled: false,
            has_run: Duration::ZERO,
        };
        let mut checks = Vec::new();
        match &mut member.state {
            State::Running(run) => {
                let ending = run.ending.as_ref();
                end.is_failure = ending.is_some_and(|ending| ending.is_failure);
                end.was_signalled = ending.is_some_and(|ending| ending.signalled);
                end.has_run = now.saturating_duration_since(run.since);
                checks = run.drop_checks();
            }
            // It was faster than the word of its start.
            State::Starting => member.had_start = true,
            State::Waiting | State::BackingOff { .. } | State::Ended { .. } => return,
        }
        self.abandon(checks);
        self.app_ended(app, end, now);
    }

    /// Decides what becomes of an app that has no process any more.
    fn app_ended(&mut self, app: &AppName, end: AppEnd, now: Instant) {
        if matches!(self.phase, Phase::Restarting { .. }) {
            self.wait_for_others(app, end.code, now);
            return;
        }
        let is_ending = matches!(self.phase, Phase::Ending { .. });
        let is_needed = !end.was_signalled && self.members.iter().any(Member::is_main_and_alive);
        let ends_with = self.plan.on_app_failure == AppFailure::StopPod;
        let Some(member) = self.member(app) else {
            return;
        };
        let may_return = !is_ending || (member.plan.role == Role::Sidecar && is_needed);
        let next = member.after(end.code, end.is_failure);
        if may_return && next != Next::Never {
            let delay = member.back_off.next(&member.plan.restart, end.has_run);
            let until = now.checked_add(delay).unwrap_or(now);
            let code = end.code;
            member.state = State::BackingOff { until, code };
            if next == Next::AllAgain && !is_ending {
                self.restart_all(app, delay, now);
                return;
            }
            if !delay.is_zero() {
                let app = app.clone();
                self.actions.push(Action::BackingOff { app, delay });
            }
            return;
        }
        // What a probe or a hook has ended has failed, whatever it says itself.
        let code = match end.code {
            0 if end.is_failure => 1,
            code => code,
        };
        member.state = State::Ended { code };
        let has_failed = code != 0 && !member.asked;
        let is_essential = member.plan.role == Role::Init || ends_with;
        if has_failed && is_essential && !is_ending {
            let cause = EndCause::Failed(app.clone());
            self.begin_to_end(self.plan.grace, Some(code), cause, now);
        }
    }

    /// Does what its time has come for.
    fn keep_time(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now)
            && matches!(
                self.phase,
                Phase::Starting | Phase::Running | Phase::Restarting { .. }
            )
        {
            let cause = EndCause::Deadline;
            self.begin_to_end(self.plan.grace, Some(OUT_OF_TIME), cause, now);
        }
        let mut starts = Vec::new();
        for member in &mut self.members {
            match &mut member.state {
                State::BackingOff { until, .. } if *until <= now => {
                    member.state = State::Starting;
                    member.restarts = member.restarts.saturating_add(1);
                    starts.push(Action::Start(member.plan.name.clone()));
                }
                State::Running(run) => {
                    run.post_start.wake(now);
                    if let Some(ending) = &mut run.ending {
                        ending.pre_stop.wake(now);
                    }
                }
                _ => {}
            }
        }
        self.actions.append(&mut starts);
        self.ask(now);
    }

    pub(crate) fn next_check(&mut self) -> CheckId {
        self.checks += 1;
        CheckId(self.checks)
    }

    pub(crate) fn abandon(&mut self, checks: Vec<CheckId>) {
        self.actions.extend(checks.into_iter().map(Action::Abandon));
    }
}
