//! Apps that are to end, and the end of the pod.
//!
//! There is one clock for the whole pod. Hooks before the end begin at once. A main app gets its signal when its hook is
//! over; sidecars get theirs one after the other, the last that started first, once no main app is left. When the time is
//! up, all that are left get it, and have [`LAST_GRACE`].

use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::Role;

use crate::action::{Action, CheckId, CheckKind, EndCause};
use crate::member::{Ending, Hook, Member, State};
use crate::supervisor::{Phase, Supervisor};

/// What an app has at least between its signal and SIGKILL, however long its hook took.
const LAST_GRACE: Duration = Duration::from_secs(2);

impl Supervisor {
    /// The pod is asked to end. A later request can only shorten the time that is left.
    pub(crate) fn stop_pod(&mut self, grace: Duration, now: Instant) {
        match self.phase {
            Phase::Ending { until, code } => {
                let until = until.min(later(now, grace));
                self.phase = Phase::Ending { until, code };
                for member in &mut self.members {
                    let signalled = member.run_mut().and_then(|run| run.ending.as_mut());
                    let Some(ending) = signalled else { continue };
                    ending.until = ending.until.min(until);
                    if ending.signalled && !grace.is_zero() {
                        self.actions.push(Action::Stop {
                            app: member.plan.name.clone(),
                            grace,
                        });
                    }
                }
                self.kill_without_grace(grace);
            }
            Phase::New | Phase::Starting | Phase::Running | Phase::Restarting { .. } => {
                self.begin_to_end(grace, None, EndCause::Asked, now);
                self.kill_without_grace(grace);
            }
            Phase::Over => {}
        }
    }

    /// Who gives no time wants no hooks.
    fn kill_without_grace(&mut self, grace: Duration) {
        if !grace.is_zero() {
            return;
        }
        let mut checks = Vec::new();
        for member in &mut self.members {
            let Some(run) = member.run_mut() else {
                continue;
            };
            checks.extend(run.drop_checks());
            if let Some(ending) = &mut run.ending {
                ending.pre_stop = Hook::Over;
                ending.signalled = true;
            }
            let app = member.plan.name.clone();
            self.actions.push(Action::Stop { app, grace });
        }
        self.abandon(checks);
    }

    pub(crate) fn begin_to_end(
        &mut self,
        grace: Duration,
        code: Option<i32>,
        cause: EndCause,
        now: Instant,
    ) {
        let until = later(now, grace);
        self.phase = Phase::Ending { until, code };
        self.actions.push(Action::Ending(cause));
        let names: Vec<AppName> = self
            .members
            .iter()
            .map(|member| member.plan.name.clone())
            .collect();
        for app in &names {
            self.end_app(app, until, false, now);
        }
    }

    /// One app is asked to end.
    pub(crate) fn stop_app(&mut self, app: &AppName, grace: Duration, now: Instant) {
        let Some(member) = self.member(app) else {
            return;
        };
        member.asked = true;
        let until = later(now, grace);
        let again = member.run_mut().and_then(|run| run.ending.as_mut());
        if let Some(ending) = again {
            ending.until = ending.until.min(until);
            let is_signalled = ending.signalled;
            if is_signalled {
                let app = app.clone();
                self.actions.push(Action::Stop { app, grace });
            }
            return;
        }
        self.end_app(app, until, false, now);
    }

    /// An app is not well, and has to end.
    pub(crate) fn end_unwell(
        &mut self,
        app: &AppName,
        by: CheckKind,
        grace: Duration,
        now: Instant,
    ) {
        let is_ending = matches!(self.phase, Phase::Ending { .. });
        let ends = self
            .member(app)
            .and_then(|member| member.run())
            .is_some_and(|run| run.ending.is_some());
        if ends || is_ending {
            return;
        }
        let unwell = app.clone();
        self.actions.push(Action::Unhealthy { app: unwell, by });
        self.end_app(app, later(now, grace), true, now);
    }

    /// Begins to end an app, whatever it is doing.
    pub(crate) fn end_app(
        &mut self,
        app: &AppName,
        until: Instant,
        is_failure: bool,
        now: Instant,
    ) {
        let id = self.next_check();
        let Some(member) = self.member(app) else {
            return;
        };
        let mut actions = Vec::new();
        match &mut member.state {
            State::Waiting | State::Ended { .. } => {}
            State::BackingOff { code, .. } => member.state = State::Ended { code: *code },
            // It has nothing to put in order yet.
            State::Starting => actions.push(Action::Stop {
                app: app.clone(),
                grace: Duration::ZERO,
            }),
            State::Running(run) if run.ending.is_none() => {
                if let Hook::Called(check) = run.post_start {
                    actions.push(Action::Abandon(check));
                }
                if run.post_start != Hook::Over {
                    run.post_start = Hook::Dropped;
                }
                let hook = member.plan.hooks.pre_stop.as_ref();
                let hook = hook.filter(|_| now < until);
                let pre_stop = hook.map_or(Hook::Over, |hook| Hook::begin(hook, id, now));
                if pre_stop == Hook::Called(id) {
                    actions.push(call(id, app));
                }
                run.ending = Some(Ending {
                    pre_stop,
                    until,
                    signalled: false,
                    is_failure,
                });
            }
            // It can only be given less time.
            State::Running(run) => {
                if let Some(ending) = run.ending.as_mut().filter(|ending| until < ending.until) {
                    ending.until = until;
                    let left = until.saturating_duration_since(now);
                    let stop = Action::Stop {
                        app: app.clone(),
                        grace: left.max(LAST_GRACE),
                    };
                    actions.extend(ending.signalled.then_some(stop));
                }
            }
        }
        self.actions.append(&mut actions);
    }

    /// When all that are left get their signal.
    pub(crate) fn forced_at(&self) -> Option<Instant> {
        let Phase::Ending { until, .. } = self.phase else {
            return None;
        };
        self.members.iter().any(lacks_signal).then_some(until)
    }

    /// Gives signals to those whose time has come. The result is the pod's exit code, when nobody is left.
    pub(crate) fn go_on_ending(&mut self, now: Instant) -> Option<i32> {
        let pod = match self.phase {
            Phase::Ending { until, .. } => Some(until),
            _ => None,
        };
        if pod.is_some() {
            self.end_back_offs();
        }
        let is_forced = pod.is_some_and(|until| until <= now);
        let is_turn_of_sidecars =
            pod.is_some() && !self.members.iter().any(Member::is_main_and_alive);
        let last = match is_turn_of_sidecars {
            true => self.members.iter().rposition(Member::is_alive),
            false => None,
        };
        let mut actions = Vec::new();
        for (place, member) in self.members.iter_mut().enumerate() {
            let waits = pod.is_some() && member.plan.role == Role::Sidecar && !member.asked;
            let has_turn = !waits || last == Some(place);
            let app = &member.plan.name;
            let State::Running(run) = &mut member.state else {
                continue;
            };
            let Some(ending) = run.ending.as_mut().filter(|ending| !ending.signalled) else {
                continue;
            };
            let is_late = ending.until <= now || is_forced;
            if let Hook::Called(id) = ending.pre_stop
                && is_late
            {
                actions.push(Action::Abandon(id));
            }
            let is_free = ending.pre_stop == Hook::Over && (has_turn || ending.is_failure);
            if is_free || is_late {
                ending.pre_stop = Hook::Over;
                ending.signalled = true;
                let left = ending.until.saturating_duration_since(now);
                actions.push(Action::Stop {
                    app: app.clone(),
                    grace: left.max(LAST_GRACE),
                });
            }
        }
        self.actions.append(&mut actions);
        let Phase::Ending { code, .. } = self.phase else {
            return None;
        };
        if self.members.iter().any(Member::is_alive) {
            return None;
        }
        self.phase = Phase::Over;
        Some(code.unwrap_or_else(|| self.first_failure()))
    }

    /// What waits to start again in a pod that ends does not: but a sidecar does while a main app needs it.
    fn end_back_offs(&mut self) {
        let is_needed = self.members.iter().any(Member::is_main_and_alive);
        for member in &mut self.members {
            let stays = is_needed && member.plan.role == Role::Sidecar && !member.asked;
            if let State::BackingOff { code, .. } = member.state
                && !stays
            {
                member.state = State::Ended { code };
            }
        }
    }

    /// The code of the first app that has failed, in the manifest's order.
    fn first_failure(&self) -> i32 {
        let failed = |member: &Member| {
            let code = member.code().filter(|code| *code != 0 && !member.asked);
            code.filter(|_| member.plan.role != Role::Sidecar)
        };
        self.members.iter().find_map(failed).unwrap_or(0)
    }
}

fn later(now: Instant, time: Duration) -> Instant {
    // What no clock counts is as good as for ever.
    now.checked_add(time)
        .unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()))
}

fn call(id: CheckId, app: &AppName) -> Action {
    Action::Check {
        id,
        app: app.clone(),
        kind: CheckKind::PreStop,
        timeout: None,
    }
}

fn lacks_signal(member: &Member) -> bool {
    let ending = member.run().and_then(|run| run.ending.as_ref());
    ending.is_some_and(|ending| !ending.signalled)
}
