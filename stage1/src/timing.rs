//! Points in time and poll(2).

use std::time::Instant;

use nix::poll::PollTimeout;

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
