//! When a pod ends, and with which code. Pure: events in, actions out.
//!
//! The pod ends when all apps have ended. When one fails, its code is the pod's: the others get their stop
//! signal and, after the grace period, SIGKILL.

use std::time::{Duration, Instant};

use pod::AppName;

/// What pod init has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send each app that still runs its stop signal.
    SignalApps,
    /// SIGKILL everything in the pod.
    KillAll,
}

/// The state of the pod as a whole.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// The apps in the manifest's order, with their codes once they have ended.
    apps: Vec<(AppName, Option<i32>)>,
    /// The code of the app whose failure ended the pod.
    first_failure: Option<i32>,
    stopping: Stopping,
    grace: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    Until(Instant),
    Killed,
}

impl Supervisor {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            apps: Vec::new(),
            first_failure: None,
            stopping: Stopping::No,
            grace,
        }
    }

    /// An app has been started, after those that came before it in the manifest.
    pub(crate) fn app_started(&mut self, app: AppName) {
        self.apps.push((app, None));
    }

    /// An app ended with this exit code.
    pub(crate) fn app_exited(&mut self, app: &AppName, code: i32, now: Instant) -> Option<Action> {
        for (_, slot) in self.apps.iter_mut().filter(|(name, _)| name == app) {
            *slot = Some(code);
        }
        if code == 0 || self.stopping != Stopping::No {
            return None;
        }
        self.first_failure = Some(code);
        match self.all_have_ended() {
            true => None,
            false => self.stop(self.grace, now),
        }
    }

    /// The pod is asked to end. A later request can only shorten the time that is left.
    pub(crate) fn stop(&mut self, grace: Duration, now: Instant) -> Option<Action> {
        // A period beyond what the clock can count is as good as none.
        let until = now
            .checked_add(grace)
            .unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        match self.stopping {
            Stopping::Killed => None,
            _ if grace.is_zero() => {
                self.stopping = Stopping::Killed;
                Some(Action::KillAll)
            }
            Stopping::No => {
                self.stopping = Stopping::Until(until);
                Some(Action::SignalApps)
            }
            Stopping::Until(earlier) => {
                self.stopping = Stopping::Until(earlier.min(until));
                Some(Action::SignalApps)
            }
        }
    }

    /// When [`Supervisor::tick`] has to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.stopping {
            Stopping::Until(instant) => Some(instant),
            Stopping::No | Stopping::Killed => None,
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Action> {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.stopping = Stopping::Killed;
            Some(Action::KillAll)
        } else {
            None
        }
    }

    /// The pod's exit code, once all apps have ended: that of the app whose failure ended the pod. If it was asked
    /// to end, the first failure in the manifest's order, which does not depend on who was faster.
    pub(crate) fn finished(&self) -> Option<i32> {
        let mut codes = self.apps.iter().filter_map(|(_, code)| *code);
        let mut first = || codes.find(|&code| code != 0);
        self.all_have_ended()
            .then(|| self.first_failure.or_else(&mut first).unwrap_or(0))
    }

    fn all_have_ended(&self) -> bool {
        self.apps.iter().all(|(_, code)| code.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn name(app: &str) -> AppName {
        app.parse().unwrap()
    }

    fn pod<const N: usize>(apps: [&str; N]) -> Supervisor {
        let mut pod = Supervisor::new(GRACE);
        for app in apps {
            pod.app_started(name(app));
        }
        pod
    }

    #[test]
    fn ends_with_zero_when_all_apps_did() {
        let now = Instant::now();
        let mut pod = pod(["a", "b"]);
        assert_eq!(pod.app_exited(&name("a"), 0, now), None);
        assert_eq!(pod.finished(), None);
        assert_eq!(pod.app_exited(&name("b"), 0, now), None);
        assert_eq!(pod.finished(), Some(0));
    }

    #[test]
    fn the_first_failure_ends_the_others_and_is_the_pods_code() {
        let now = Instant::now();
        let mut pod = pod(["a", "b", "c"]);
        assert_eq!(pod.app_exited(&name("b"), 7, now), Some(Action::SignalApps));
        assert_eq!(pod.app_exited(&name("a"), 143, now), None);
        assert_eq!(pod.tick(now), None);
        assert_eq!(pod.tick(now + GRACE), Some(Action::KillAll));
        assert_eq!(pod.app_exited(&name("c"), 137, now), None);
        assert_eq!(pod.finished(), Some(7));
    }

    #[test]
    fn a_stopped_app_keeps_its_own_code() {
        let now = Instant::now();
        for code in [0, 143] {
            let mut pod = pod(["a"]);
            assert_eq!(pod.stop(GRACE, now), Some(Action::SignalApps));
            assert_eq!(pod.app_exited(&name("a"), code, now), None);
            assert_eq!(pod.finished(), Some(code));
        }
    }

    #[test]
    fn of_apps_that_were_stopped_the_first_in_order_that_failed_decides() {
        let now = Instant::now();
        for order in [["a", "b", "c"], ["c", "b", "a"]] {
            let mut pod = pod(["a", "b", "c"]);
            pod.stop(GRACE, now);
            for app in order {
                let code = match app {
                    "a" => 0,
                    "b" => 5,
                    _ => 7,
                };
                assert_eq!(pod.app_exited(&name(app), code, now), None);
            }
            assert_eq!(pod.finished(), Some(5));
        }
    }

    #[test]
    fn a_second_stop_only_shortens_and_force_kills_at_once() {
        let now = Instant::now();
        let mut one = pod(["a"]);
        one.stop(Duration::from_secs(1), now);
        one.stop(GRACE, now);
        assert_eq!(one.deadline(), Some(now + Duration::from_secs(1)));
        assert_eq!(one.stop(Duration::ZERO, now), Some(Action::KillAll));
        assert_eq!(one.stop(GRACE, now), None);
        assert!(pod(["a"]).stop(Duration::MAX, now).is_some());
    }
}
