//! Which apps go on, when the pod ends, and with which code. Pure: events in, actions out.
//!
//! A pod ends when all of its apps have ended, or, if that is its lifetime, not before it is stopped. When an app fails
//! and the pod says that this is its end, that app's code is the pod's: the others get their stop signal and, after the
//! grace period, SIGKILL. An app that was asked to end has not failed, whatever its code is. One that is asked to while it
//! is being started is killed: it has nothing to put in order yet.

use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::{AppFailure, Lifetime};

/// What pod init has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send each app that still runs its stop signal, and SIGKILL to those that are being started.
    SignalApps,
    /// SIGKILL everything in the pod.
    KillAll,
    /// Send one app its stop signal.
    SignalApp(AppName),
    /// SIGKILL everything of one app.
    KillApp(AppName),
}

/// The state of the pod as a whole.
#[derive(Debug)]
pub(crate) struct Supervisor {
    lifetime: Lifetime,
    on_app_failure: AppFailure,
    grace: Duration,
    /// The apps, in the order of their first starts.
    apps: Vec<Member>,
    /// The code of the app whose failure ended the pod.
    first_failure: Option<i32>,
    stopping: Stopping,
}

#[derive(Debug)]
struct Member {
    name: AppName,
    state: MemberState,
    /// Whether this app was asked to end, and not the pod.
    stopping: Stopping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberState {
    /// It is on its way to its program, or waits for its turn. With its last end, if it has run before.
    Starting(Option<(i32, Stopping)>),
    Running,
    /// With this exit code.
    Ended(i32),
}

impl Member {
    fn code(&self) -> Option<i32> {
        match self.state {
            MemberState::Ended(code) => Some(code),
            MemberState::Starting(_) | MemberState::Running => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Until(Instant),
    Killed,
}

/// What a request to end comes to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Signal,
    Kill,
}

impl Stopping {
    /// Another request. It can only shorten the time that is left.
    fn ask(&mut self, grace: Duration, now: Instant) -> Option<Step> {
        // A period beyond what the clock can count is as good as none.
        let until = now
            .checked_add(grace)
            .unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        match *self {
            Self::Killed => None,
            _ if grace.is_zero() => {
                *self = Self::Killed;
                Some(Step::Kill)
            }
            Self::No => {
                *self = Self::Until(until);
                Some(Step::Signal)
            }
            Self::Until(earlier) => {
                *self = Self::Until(earlier.min(until));
                Some(Step::Signal)
            }
        }
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(instant) => Some(instant),
            Self::No | Self::Killed => None,
        }
    }

    /// Whether the time is up. So only once.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        if due {
            *self = Self::Killed;
        }
        due
    }
}

impl Supervisor {
    pub(crate) fn new(lifetime: Lifetime, on_app_failure: AppFailure, grace: Duration) -> Self {
        Self {
            lifetime,
            on_app_failure,
            grace,
            apps: Vec::new(),
            first_failure: None,
            stopping: Stopping::No,
        }
    }

    /// Whether an app may be started: the pod goes on, and it neither runs nor is being started.
    pub(crate) fn may_start(&self, app: &AppName) -> bool {
        let runs = |member: &Member| member.name == *app && member.code().is_none();
        self.stopping == Stopping::No && !self.apps.iter().any(runs)
    }

    /// An app is being started, for the first time or again.
    pub(crate) fn app_starting(&mut self, app: AppName) {
        match self.member(&app) {
            Some(member) => {
                let last = member.code().map(|code| (code, member.stopping));
                member.state = MemberState::Starting(last);
                member.stopping = Stopping::No;
            }
            None => self.apps.push(Member {
                name: app,
                state: MemberState::Starting(None),
                stopping: Stopping::No,
            }),
        }
    }

    /// An app that was being started runs.
    pub(crate) fn app_started(&mut self, app: &AppName) {
        if let Some(member) = self.member(app) {
            member.state = MemberState::Running;
        }
    }

    /// An app that was being started does not run after all.
    pub(crate) fn app_not_started(&mut self, app: &AppName) {
        let Some(member) = self.member(app) else {
            return;
        };
        match member.state {
            MemberState::Starting(Some((code, stopping))) => {
                member.state = MemberState::Ended(code);
                member.stopping = stopping;
            }
            MemberState::Starting(None) => self.apps.retain(|member| member.name != *app),
            MemberState::Running | MemberState::Ended(_) => {}
        }
    }

    /// An app ended with this exit code.
    pub(crate) fn app_exited(&mut self, app: &AppName, code: i32, now: Instant) -> Option<Action> {
        let member = self.member(app)?;
        member.state = MemberState::Ended(code);
        let was_asked = member.stopping != Stopping::No;
        if code == 0
            || was_asked
            || self.stopping != Stopping::No
            || self.on_app_failure == AppFailure::Continue
        {
            return None;
        }
        self.first_failure = Some(code);
        let action = self.stop(self.grace, now);
        action.filter(|_| !self.all_have_ended())
    }

    /// Whether this app was asked to end, and not the pod.
    pub(crate) fn was_asked(&self, app: &AppName) -> bool {
        let asked = |member: &Member| member.name == *app && member.stopping != Stopping::No;
        self.apps.iter().any(asked)
    }

    /// An app that doesn't run has left the pod: its code is nobody's any more.
    pub(crate) fn app_removed(&mut self, app: &AppName) {
        self.apps
            .retain(|member| member.name != *app || member.code().is_none());
    }

    /// The pod is asked to end.
    pub(crate) fn stop(&mut self, grace: Duration, now: Instant) -> Option<Action> {
        Some(match self.stopping.ask(grace, now)? {
            Step::Signal => Action::SignalApps,
            Step::Kill => Action::KillAll,
        })
    }

    /// One app is asked to end. It gets its signal once, however many ask.
    pub(crate) fn stop_app(
        &mut self,
        app: &AppName,
        grace: Duration,
        now: Instant,
    ) -> Option<Action> {
        let member = self.member(app)?;
        let grace = match member.state {
            MemberState::Starting(_) => Duration::ZERO,
            MemberState::Running => grace,
            MemberState::Ended(_) => return None,
        };
        let was_asked = member.stopping != Stopping::No;
        match member.stopping.ask(grace, now)? {
            // Kubelets ask again what took too long for them; many programs give up their work at a second signal.
            Step::Signal if was_asked => None,
            Step::Signal => Some(Action::SignalApp(app.clone())),
            Step::Kill => Some(Action::KillApp(app.clone())),
        }
    }

    /// When [`Supervisor::tick`] has to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let running = self.apps.iter().filter(|member| member.code().is_none());
        running
            .map(|member| member.stopping)
            .chain([self.stopping])
            .filter_map(Stopping::deadline)
            .min()
    }

    /// Time has passed. To be called until there is nothing to do.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Action> {
        if self.stopping.is_due(now) {
            return Some(Action::KillAll);
        }
        let mut running = self
            .apps
            .iter_mut()
            .filter(|member| member.code().is_none());
        let due = running.find_map(|member| member.stopping.is_due(now).then_some(member))?;
        Some(Action::KillApp(due.name.clone()))
    }

    /// The pod's exit code, once it is over: that of the app whose failure ended the pod. A pod that lives as long as
    /// its apps has else that of the first app in order that failed, which does not depend on who was faster; one
    /// that stays until it is stopped has done what it was there for.
    pub(crate) fn finished(&self) -> Option<i32> {
        let ends = match self.lifetime {
            Lifetime::WithApps => true,
            Lifetime::UntilStopped => self.stopping != Stopping::No,
        };
        if !ends || !self.all_have_ended() {
            return None;
        }
        let failed = |member: &Member| match member.stopping {
            Stopping::No => member.code().filter(|&code| code != 0),
            Stopping::Until(_) | Stopping::Killed => None,
        };
        let first = || match self.lifetime {
            Lifetime::WithApps => self.apps.iter().find_map(failed),
            Lifetime::UntilStopped => None,
        };
        Some(self.first_failure.or_else(first).unwrap_or(0))
    }

    fn all_have_ended(&self) -> bool {
        self.apps.iter().all(|member| member.code().is_some())
    }

    fn member(&mut self, app: &AppName) -> Option<&mut Member> {
        self.apps.iter_mut().find(|member| member.name == *app)
    }
}

#[cfg(test)]
mod tests;
