//! When a pod ends, and with which code. Pure: events in, actions out.
//!
//! The pod ends when all apps have ended. When one fails, its code is the pod's: the others get their stop
//! signal and, after the grace period, SIGKILL.

use std::time::{Duration, Instant};

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
    running: usize,
    /// The code of the app whose failure ended the pod.
    first_failure: Option<i32>,
    /// The apps' codes, in the manifest's order, once they have ended.
    codes: Vec<i32>,
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
    pub(crate) fn new(apps: usize, grace: Duration) -> Self {
        Self {
            running: apps,
            first_failure: None,
            codes: vec![0; apps],
            stopping: Stopping::No,
            grace,
        }
    }

    /// The app at this place of the manifest ended with this exit code.
    pub(crate) fn app_exited(&mut self, place: usize, code: i32, now: Instant) -> Option<Action> {
        self.running = self.running.saturating_sub(1);
        if let Some(slot) = self.codes.get_mut(place) {
            *slot = code;
        }
        if code == 0 || self.stopping != Stopping::No {
            return None;
        }
        self.first_failure = Some(code);
        if self.running == 0 {
            None
        } else {
            self.stop(self.grace, now)
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
        let first = || self.codes.iter().copied().find(|&code| code != 0);
        (self.running == 0).then(|| self.first_failure.or_else(first).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn ends_with_zero_when_all_apps_did() {
        let now = Instant::now();
        let mut pod = Supervisor::new(2, GRACE);
        assert_eq!(pod.app_exited(0, 0, now), None);
        assert_eq!(pod.finished(), None);
        assert_eq!(pod.app_exited(1, 0, now), None);
        assert_eq!(pod.finished(), Some(0));
    }

    #[test]
    fn the_first_failure_ends_the_others_and_is_the_pods_code() {
        let now = Instant::now();
        let mut pod = Supervisor::new(3, GRACE);
        assert_eq!(pod.app_exited(1, 7, now), Some(Action::SignalApps));
        assert_eq!(pod.app_exited(0, 143, now), None);
        assert_eq!(pod.tick(now), None);
        assert_eq!(pod.tick(now + GRACE), Some(Action::KillAll));
        assert_eq!(pod.app_exited(2, 137, now), None);
        assert_eq!(pod.finished(), Some(7));
    }

    #[test]
    fn a_stopped_app_keeps_its_own_code() {
        let now = Instant::now();
        let mut pod = Supervisor::new(1, GRACE);
        assert_eq!(pod.stop(GRACE, now), Some(Action::SignalApps));
        assert_eq!(pod.app_exited(0, 0, now), None);
        assert_eq!(pod.finished(), Some(0));
        let mut pod = Supervisor::new(1, GRACE);
        pod.stop(GRACE, now);
        pod.app_exited(0, 143, now);
        assert_eq!(pod.finished(), Some(143));
    }

    #[test]
    fn of_apps_that_were_stopped_the_first_in_order_that_failed_decides() {
        let now = Instant::now();
        for places in [[0, 1, 2], [2, 1, 0]] {
            let mut pod = Supervisor::new(3, GRACE);
            pod.stop(GRACE, now);
            for place in places {
                let code = [0, 5, 7][place];
                assert_eq!(pod.app_exited(place, code, now), None);
            }
            assert_eq!(pod.finished(), Some(5));
        }
    }

    #[test]
    fn a_second_stop_only_shortens_and_force_kills_at_once() {
        let now = Instant::now();
        let mut pod = Supervisor::new(1, GRACE);
        pod.stop(Duration::from_secs(1), now);
        pod.stop(GRACE, now);
        assert_eq!(pod.deadline(), Some(now + Duration::from_secs(1)));
        assert_eq!(pod.stop(Duration::ZERO, now), Some(Action::KillAll));
        assert_eq!(pod.stop(GRACE, now), None);
        assert!(Supervisor::new(1, GRACE).stop(Duration::MAX, now).is_some());
    }
}
