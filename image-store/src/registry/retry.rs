//! How often what failed is tried again.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Longest pause that a registry may ask for before it is told to the user instead.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How often and with what pauses a transient failure is tried again.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    /// Further attempts.
    pub(super) retries: u32,
    /// First pause; each next one is three times as long.
    pub(super) pause: Duration,
    /// Time that failures may cost in all.
    pub(super) limit: Duration,
    /// What they have cost.
    pub(super) spent: Cell<Duration>,
}

impl Retry {
    pub(super) fn new(retries: u32) -> Self {
        Self {
            retries,
            pause: Duration::from_millis(250),
            limit: Duration::from_secs(120),
            spent: Cell::default(),
        }
    }

    /// Pauses before the next attempt after `failures`; `false` if there shall be none. A registry
    /// that asks for more than can be waited for is not asked again.
    pub(super) fn pause(&self, failures: u32, asked: Option<Duration>) -> bool {
        let factor = 3_u32.saturating_pow(failures.saturating_sub(1));
        let pause = asked.unwrap_or_else(|| jitter(self.pause.saturating_mul(factor)));
        let spent = self.spent.get().saturating_add(pause);
        if failures > self.retries || pause > MAX_PAUSE || spent > self.limit {
            return false;
        }
        self.spent.set(spent);
        // The registry asked for it, or needs it: there is nothing to wait for but time.
        std::thread::sleep(pause);
        true
    }

    /// Counts the time since `begun` as lost.
    pub(super) fn lost(&self, begun: Instant) {
        self.spent
            .set(self.spent.get().saturating_add(begun.elapsed()));
    }
}

/// Three to five quarters of a pause, so that many that failed at once don't come back at once.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause.mul_f64(0.75 + f64::from(u32::try_from(random).unwrap_or(0)) / 2000.0)
}

/// Whether what failed like that may go well another time.
pub(super) fn is_transient_io(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_by_number_by_length_and_by_their_sum() {
        let retry = Retry {
            pause: Duration::ZERO,
            ..Retry::new(2)
        };
        assert!(retry.pause(1, None) && retry.pause(2, Some(Duration::ZERO)));
        assert!(!retry.pause(3, None));
        assert!(!retry.pause(1, Some(Duration::from_secs(3600))));
        retry.spent.set(retry.limit);
        assert!(retry.pause(1, None));
        assert!(!retry.pause(1, Some(Duration::from_millis(1))));
    }

    #[test]
    fn pauses_differ_within_bounds() {
        let pauses: Vec<_> = (0..100).map(|_| jitter(Duration::from_secs(4))).collect();
        let bounds = Duration::from_secs(3)..Duration::from_secs(5);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
