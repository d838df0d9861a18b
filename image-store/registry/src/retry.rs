//! How often what failed is tried again.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::retrying::Retrying;
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
    /// All pauses, where they don't grow.
    pub(super) steady: Option<Duration>,
    /// Whether who can't be reached is tried again.
    pub(super) may_come_late: bool,
    /// Time that failures may cost in all.
    pub(super) limit: Duration,
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
            steady: None,
            may_come_late: false,
            limit: LIMIT,
            is_brief: Cell::default(),
            spent: Cell::default(),
            spent_briefly: Cell::default(),
            told: (WaitListener::default(), String::new()),
        }
    }

    /// As one command has it.
    pub(super) fn by(mut self, own: Retrying) -> Self {
        self.retries = own.retries.unwrap_or(self.retries);
        self.steady = own.pause;
        self.may_come_late = own.may_come_late;
        if own.retries.is_some() {
            // The number is what ends it.
            let longest = own.pause.unwrap_or(LONGEST_PAUSE.mul_f64(1.25));
            self.limit = LIMIT.max(longest.saturating_mul(self.retries).saturating_add(LIMIT));
        }
        self
    }

    /// Whether a failure is to be tried again that one of the way to the registry is.
    pub(super) fn waits_for(&self, error: &io::Error) -> bool {
        // Where another place is asked next, nobody waits for this one.
        is_transient_io(error.kind())
            || (self.may_come_late && !self.is_brief.get() && is_unreachable(error))
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
            false => (self.retries, self.limit),
        };
        let factor = 3_u32.saturating_pow(failures.saturating_sub(1));
        let own = self.pause.saturating_mul(factor).min(LONGEST_PAUSE);
        // Who asks for less, such as by a clock that is wrong, gets no more than one attempt after another.
        let own = self.steady.unwrap_or_else(|| jitter(own));
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

/// Whether nobody was there to speak with: who can't be found, or takes no connections. A name that is known not to be there,
/// and a way that a filter has closed, are no such thing.
fn is_unreachable(error: &io::Error) -> bool {
    // What the resolver has failed with is nowhere but in its text (EAI_AGAIN of glibc and musl).
    let has_no_answer = |text: &str| {
        text.contains("Temporary failure in name resolution") || text.contains("Try again")
    };
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
    ) || has_no_answer(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_not_be_reached_is_waited_for_where_that_is_asked_for() {
        let resolver =
            |text: &str| io::Error::other(format!("failed to lookup address information: {text}"));
        let late = [
            io::Error::from_raw_os_error(111),
            io::Error::from_raw_os_error(101),
            io::Error::from_raw_os_error(113),
            io::Error::from_raw_os_error(100),
            io::Error::from_raw_os_error(99),
            resolver("Temporary failure in name resolution"),
        ];
        let never = [
            resolver("Name or service not known"),
            resolver("No address associated with hostname"),
            io::Error::from_raw_os_error(13),
        ];
        let usual = Retry::new(2);
        let patient = Retry::new(2).by(Retrying {
            may_come_late: true,
            ..Retrying::default()
        });
        for error in &late {
            assert!(patient.waits_for(error), "{error}");
            assert!(!usual.waits_for(error), "{error}");
            patient.be_brief(true);
            assert!(!patient.waits_for(error), "{error}");
            patient.be_brief(false);
        }
        for error in &never {
            assert!(!patient.waits_for(error), "{error}");
        }
        let broken = io::Error::from(ErrorKind::ConnectionReset);
        assert!(usual.waits_for(&broken) && patient.waits_for(&broken));
    }

    #[test]
    fn pauses_that_a_command_asks_for_are_what_it_says() {
        let asked = Retrying {
            retries: Some(100),
            pause: Some(Duration::from_millis(1)),
            may_come_late: true,
        };
        let retry = Retry::new(2).by(asked);
        assert_eq!((retry.retries, retry.steady), (100, asked.pause));
        assert!(retry.pause(100, None) && !retry.pause(101, None));
        assert_eq!(retry.spent.get(), Duration::from_millis(1));
        let hourly = Retrying {
            pause: Some(Duration::from_secs(3600)),
            ..asked
        };
        assert!(Retry::new(2).by(hourly).limit > Duration::from_secs(100 * 3600));
        let none = Retrying {
            retries: Some(0),
            ..asked
        };
        assert!(!Retry::new(2).by(none).pause(1, None));
    }

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
