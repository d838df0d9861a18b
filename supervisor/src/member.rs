//! One app of a pod, and where it is in its life.

use std::time::{Duration, Instant};

use pod::manifest::{HookAction, RestartAction, RestartPolicy, Role};

use crate::action::CheckId;
use crate::back_off::BackOff;
use crate::plan::AppPlan;
use crate::probing::{Probing, Verdict};

/// One app.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) plan: AppPlan,
    pub(crate) state: State,
    /// How often it was started again by itself.
    pub(crate) restarts: u32,
    pub(crate) back_off: BackOff,
    /// Whether somebody wants it to have ended: this app alone, and not the pod.
    pub(crate) asked: bool,
    /// Whether it has joined a pod whose apps had had their turns.
    pub(crate) has_joined: bool,
    /// Whether it has had a start.
    pub(crate) had_start: bool,
    /// Whether it was last said to be ready.
    pub(crate) told_ready: bool,
}

/// Where an app is.
#[derive(Debug)]
pub(crate) enum State {
    /// Its turn has not come.
    Waiting,
    /// It is on its way to its program.
    Starting,
    Running(Box<Run>),
    /// It starts again when this is over.
    BackingOff {
        until: Instant,
        code: i32,
    },
    /// It doesn't start again by itself.
    Ended {
        code: i32,
    },
}

/// Where an app is, for who looks at it from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its turn has not come.
    Waiting,
    /// It is on its way to its program.
    Starting,
    /// It runs.
    Running,
    /// It starts again after a while.
    BackingOff {
        /// When.
        until: Instant,
    },
    /// It has ended.
    Ended,
}

/// An app that runs.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) since: Instant,
    pub(crate) post_start: Hook,
    pub(crate) startup: Option<Probing>,
    pub(crate) readiness: Option<Probing>,
    pub(crate) liveness: Option<Probing>,
    /// Whether it has said that it is ready, or nobody waits for that.
    pub(crate) notified: bool,
    pub(crate) ending: Option<Ending>,
}

/// A hook of a running app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// There is none, or it is over.
    Over,
    /// It has begun, and somebody tells of its end.
    Called(CheckId),
    /// It waits.
    Sleeping(Instant),
    /// It was cut short.
    Dropped,
}

/// An app that runs is to end.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) pre_stop: Hook,
    /// When its time is up.
    pub(crate) until: Instant,
    /// Whether it has got its stop signal.
    pub(crate) signalled: bool,
    /// Whether this is a failure of the app's, whatever its code is.
    pub(crate) is_failure: bool,
}

/// What becomes of an app that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Again,
    /// All apps of the pod start again.
    AllAgain,
    Never,
}

impl Member {
    pub(crate) fn new(plan: AppPlan) -> Self {
        Self {
            plan,
            state: State::Waiting,
            restarts: 0,
            back_off: BackOff::default(),
            asked: false,
            has_joined: false,
            had_start: false,
            told_ready: false,
        }
    }

    /// Whether it has a process, or is about to.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Starting | State::Running(_))
    }

    /// Whether the pod's end has to wait for it before the sidecars do.
    pub(crate) fn is_main_and_alive(&self) -> bool {
        self.plan.role != Role::Sidecar && self.is_alive()
    }

    pub(crate) fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    pub(crate) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    /// Its exit code, where it doesn't start again by itself.
    pub(crate) fn code(&self) -> Option<i32> {
        match self.state {
            State::Ended { code } => Some(code),
            _ => None,
        }
    }

    /// What becomes of it after an end with this code. An end by a probe or a hook is a failure, whatever the code is.
    pub(crate) fn after(&self, code: i32, is_failure: bool) -> Next {
        let failed = is_failure || code != 0;
        let policy = self.plan.restart.policy;
        let mut rules = self.plan.restart_rules.iter();
        let rule = rules.find(|rule| rule.exit_codes.contains(code));
        let rule = rule.map(|rule| rule.action);
        let wants = match self.plan.role {
            _ if self.asked => false,
            _ if rule.is_some() => true,
            Role::Sidecar => true,
            Role::Init => failed && policy != RestartPolicy::Never,
            Role::Main => match policy {
                RestartPolicy::Never => false,
                RestartPolicy::OnFailure => failed,
                RestartPolicy::Always => true,
            },
        };
        let most = self.plan.restart.max_retries;
        match wants && most.is_none_or(|most| self.restarts < most) {
            true if rule == Some(RestartAction::RestartAllApps) => Next::AllAgain,
            true => Next::Again,
            false => Next::Never,
        }
    }

    /// Its turn has come, for the first time or again.
    pub(crate) fn begin_turn(&mut self) {
        self.restarts = self.restarts.saturating_add(u32::from(self.had_start));
        self.state = State::Starting;
    }

    pub(crate) fn condition(&self) -> Condition {
        match self.state {
            State::Waiting => Condition::Waiting,
            State::Starting => Condition::Starting,
            State::Running(_) => Condition::Running,
            State::BackingOff { until, .. } => Condition::BackingOff { until },
            State::Ended { .. } => Condition::Ended,
        }
    }
}

impl Run {
    pub(crate) fn new(plan: &AppPlan, since: Instant) -> Self {
        let probing = |probe: &Option<_>| probe.as_ref().map(Probing::new);
        Self {
            since,
            post_start: Hook::Over,
            startup: probing(&plan.probes.startup),
            readiness: probing(&plan.probes.readiness),
            liveness: probing(&plan.probes.liveness),
            notified: !plan.notifies,
            ending: None,
        }
    }

    /// Whether it has come up: its hook is over, and its startup probe has passed.
    pub(crate) fn has_come_up(&self) -> bool {
        self.post_start == Hook::Over && has_passed(self.startup.as_ref(), true)
    }

    /// Whether it serves.
    pub(crate) fn is_ready(&self) -> bool {
        self.has_come_up() && self.notified && has_passed(self.readiness.as_ref(), true)
    }

    /// It is killed: nothing is to be done for it any more.
    pub(crate) fn end_at_once(&mut self, now: Instant) {
        self.post_start = Hook::Dropped;
        self.ending = Some(Ending {
            pre_stop: Hook::Over,
            until: now,
            signalled: true,
            is_failure: false,
        });
    }

    /// Everything that is on its way for it.
    pub(crate) fn drop_checks(&mut self) -> Vec<CheckId> {
        let probes = [&mut self.startup, &mut self.readiness, &mut self.liveness];
        let mut ids: Vec<CheckId> = probes
            .into_iter()
            .flatten()
            .filter_map(Probing::rest)
            .collect();
        let pre_stop = self.ending.as_ref().map(|ending| ending.pre_stop);
        for hook in [Some(self.post_start), pre_stop].into_iter().flatten() {
            if let Hook::Called(id) = hook {
                ids.push(id);
            }
        }
        ids
    }

    /// When something is to be done for it at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        let probes = [&self.startup, &self.readiness, &self.liveness];
        let probes = probes.into_iter().flatten().filter_map(Probing::due);
        let ending = self.ending.as_ref().filter(|ending| !ending.signalled);
        let until = ending.map(|ending| ending.until);
        let pre_stop = ending.and_then(|ending| ending.pre_stop.wakes());
        let times = [self.post_start.wakes(), pre_stop, until];
        probes.chain(times.into_iter().flatten()).min()
    }
}

fn has_passed(probing: Option<&Probing>, without: bool) -> bool {
    probing.map_or(without, |probing| probing.verdict == Verdict::Passed)
}

impl Hook {
    /// A hook that begins: one that calls something has this number.
    pub(crate) fn begin(action: &HookAction, id: CheckId, now: Instant) -> Self {
        match action {
            HookAction::Sleep { seconds } => {
                let length = Duration::from_secs((*seconds).into());
                now.checked_add(length).map_or(Self::Over, Self::Sleeping)
            }
            HookAction::Exec(_) | HookAction::HttpGet(_) => Self::Called(id),
        }
    }

    fn wakes(self) -> Option<Instant> {
        match self {
            Self::Sleeping(until) => Some(until),
            Self::Over | Self::Called(_) | Self::Dropped => None,
        }
    }

    /// Is over, if it has slept enough.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.wakes().is_some_and(|until| until <= now) {
            *self = Self::Over;
        }
    }
}
