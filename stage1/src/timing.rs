//! Points in time and poll(2).

use std::time::Instant;

use nix::poll::PollTimeout;
use rustix::time::{ClockId, clock_gettime};

/// Microseconds of `CLOCK_MONOTONIC`, as service managers count.
pub(crate) fn monotonic_microseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1000;
    u64::try_from(microseconds).unwrap_or_default()
}

/// How long poll(2) may wait for the next thing to do, rounded up, so that the time has come when the
/// wait is over.
pub(crate) fn poll_timeout(next: Option<Instant>) -> PollTimeout {
    let Some(next) = next else {
        return PollTimeout::NONE;
    };
    let left = next.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_are_never_too_short_and_may_be_endless() {
        assert_eq!(poll_timeout(None), PollTimeout::NONE);
        let past = Instant::now();
        assert_eq!(poll_timeout(Some(past)).as_millis(), Some(1));
        let soon = poll_timeout(Some(Instant::now() + Duration::from_millis(500)));
        assert!(soon.as_millis().is_some_and(|left| left > 400), "{soon:?}");
        let late = Instant::now() + Duration::from_secs(u32::MAX.into());
        assert_eq!(poll_timeout(Some(late)), PollTimeout::MAX);
    }
}
