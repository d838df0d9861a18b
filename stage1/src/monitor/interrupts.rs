//! Ctrl-C, typed again and again: the apps are interrupted, then asked to end, then killed.

use std::time::{Duration, Instant};

/// After so long it is the first one again: a program may take it for something else than its end.
const TOGETHER: Duration = Duration::from_secs(10);

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escalation {
    /// The apps get it.
    Interrupt,
    /// The pod is stopped.
    Stop,
    /// The pod is killed.
    Kill,
}

impl Escalation {
    /// What is said of it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::Interrupt => "the apps are interrupted; Ctrl-C once more stops the pod",
            Self::Stop => "the pod is being stopped; Ctrl-C once more kills it",
            Self::Kill => "the pod is killed",
        }
    }
}

/// When the key was typed last.
#[derive(Debug, Default)]
pub(super) struct Interrupts(Option<Instant>);

impl Interrupts {
    /// The key has been typed. `stays` says that the pod does not end with its apps, so that nothing but a stop ends it;
    /// `stops` that it is being stopped.
    pub(super) fn typed(&mut self, now: Instant, stays: bool, stops: bool) -> Escalation {
        let last = self.0.replace(now);
        let again = last.is_some_and(|last| now.saturating_duration_since(last) < TOGETHER);
        match (stops, stays || again) {
            (true, _) => Escalation::Kill,
            (false, true) => Escalation::Stop,
            (false, false) => Escalation::Interrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_means_more_each_time_unless_it_was_long_ago() {
        let mut interrupts = Interrupts::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(interrupts.typed(at(0), false, false), Escalation::Interrupt);
        assert_eq!(
            interrupts.typed(at(30), false, false),
            Escalation::Interrupt
        );
        assert_eq!(interrupts.typed(at(31), false, false), Escalation::Stop);
        assert_eq!(interrupts.typed(at(60), false, true), Escalation::Kill);
        let mut interrupts = Interrupts::default();
        assert_eq!(interrupts.typed(at(0), true, false), Escalation::Stop);
        assert_eq!(interrupts.typed(at(1), true, true), Escalation::Kill);
    }
}
