//! How often what failed is tried again.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::wait::{Wait, WaitListener};

/// Longest pause between two attempts for which nobody asked.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Time that failures may cost in all, of what has to be transferred.
const LIMIT: Duration = Duration::from_secs(120);

/// The same where nothing hangs on the answer: signatures that may or may not be there, and places
/// after which another is asked.
const BRIEF_LIMIT: Duration = Duration::from_secs(8);
const BRIEF_RETRIES: u32 = 3;

/// How often and with what pauses a transient failure is tried again.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    /// Further attempts.
    pub(super) retries: u32,
    /// First pause; each next one is three times as long, to the longest.
    pub(super) pause: Duration,
    /// Whether little hangs on what is asked for now.
    pub(super) is_brief: Cell<bool>,
    /// What failures have cost: of what is transferred, and of the rest.
    pub(super) spent: Cell<Duration>,
    pub(super) spent_briefly: Cell<Duration>,
    /// Who is told of pauses, and of which registry.
    pub(super) told: (WaitListener, String),
}

impl Retry {
    pub(super) fn new(retries: u32) -> Self {
        Self {
            retries,
            pause: Duration::from_millis(250),
            is_brief: Cell::default(),
            spent: Cell::default(),
            spent_briefly: Cell::default(),
            told: (WaitListener::default(), String::new()),
        }
    }

    /// Tells of each pause that this registry makes.
    pub(super) fn telling(mut self, listener: &WaitListener, registry: &str) -> Self {
        self.told = (listener.clone(), registry.to_owned());
        self
    }

    fn tell(&self, failures: u32, retries: u32, pause: Duration) {
        let (listener, registry) = &self.told;
        listener.tell(&Wait {
            registry: registry.clone(),
            pause,
            attempt: failures.saturating_add(1),
            attempts: retries.saturating_add(1),
        });
    }

    /// Says how much hangs on what is asked for from now on.
    pub(super) fn be_brief(&self, is_brief: bool) {
        self.is_brief.set(is_brief);
    }

    fn spent(&self) -> &Cell<Duration> {
        match self.is_brief.get() {
            true => &self.spent_briefly,
            false => &self.spent,
        }
    }

    /// Pauses before the next attempt after `failures`; `false` if there shall be none. A registry
    /// that asks for more than can be waited for is not asked again.
    pub(super) fn pause(&self, failures: u32, asked: Option<Duration>) -> bool {
        let (retries, limit) = match self.is_brief.get() {
            true => (self.retries.min(BRIEF_RETRIES), BRIEF_LIMIT),
            false => (self.retries, LIMIT),
        };
        let factor = 3_u32.saturating_pow(failures.saturating_sub(1));
        let own = self.pause.saturating_mul(factor).min(LONGEST_PAUSE);
        // Who asks for less, such as by a clock that is wrong, gets no more than one attempt after another.
        let own = jitter(own);
        let pause = asked.map_or(own, |asked| asked.max(own));
        let spent = self.spent().get().saturating_add(pause);
        if failures > retries || spent > limit {
            return false;
        }
        self.spent().set(spent);
        self.tell(failures, retries, pause);
        // The registry asked for it, or needs it: there is nothing to wait for but time.
        std::thread::sleep(pause);
        true
    }

    /// Counts the time since `begun` as lost.
    pub(super) fn lost(&self, begun: Instant) {
        let spent = self.spent().get().saturating_add(begun.elapsed());
        self.spent().set(spent);
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
        retry.spent.set(LIMIT);
        assert!(retry.pause(1, None));
        assert!(!retry.pause(1, Some(Duration::from_millis(1))));
    }

    #[test]
    fn little_time_goes_to_what_little_hangs_on() {
        let retry = Retry {
            pause: Duration::ZERO,
            ..Retry::new(20)
        };
        retry.be_brief(true);
        assert!(retry.pause(3, None) && !retry.pause(4, None));
        assert!(!retry.pause(1, Some(Duration::from_secs(9))));
        retry.spent_briefly.set(BRIEF_LIMIT);
        assert!(!retry.pause(1, Some(Duration::from_millis(1))));
        retry.be_brief(false);
        assert!(retry.pause(20, Some(Duration::from_millis(1))));
        assert!(!retry.pause(21, None));
    }

    #[test]
    fn the_usual_pauses_fill_two_minutes() {
        let retries = crate::config::Transfer::default().retries();
        let pauses = (0..retries).map(|n| {
            let pause = Duration::from_millis(250).saturating_mul(3_u32.saturating_pow(n));
            pause.min(LONGEST_PAUSE)
        });
        // The shortest that they can be.
        assert!(pauses.sum::<Duration>().mul_f64(0.75) >= LIMIT);
    }

    #[test]
    fn pauses_differ_within_bounds() {
        let pauses: Vec<_> = (0..100).map(|_| jitter(Duration::from_secs(4))).collect();
        let bounds = Duration::from_secs(3)..Duration::from_secs(5);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
