//! How much of the monitor's time and of the disk an app takes up by what it writes.
//!
//! An app that writes byte by byte, or nothing but line feeds, costs the monitor far more than itself. So what is done
//! for an app is paid for out of a budget, which fills up as time goes by. Once it is used up the monitor rests from
//! reading what that app writes: more gathers meanwhile, to be read at once, and the app waits when its pipe is full.

use std::time::{Duration, Instant};

use pod::manifest::Bounds;

/// What it holds: so many seconds of what it fills up by. An app may write as much at once.
const SECONDS: u64 = 2;
/// What it costs to read, however little there is: as many bytes.
const READ: u64 = 8 << 10;
/// From this size on, in bytes, reading costs the monitor no more than writing costs the app.
const WORTHWHILE: u64 = 4 << 10;

/// What one app may still cost.
#[derive(Debug)]
pub(super) struct Budget {
    /// What it fills up by, in bytes each second.
    rate: u64,
    /// When it is full again: in the past if it is full. One that is used up is full later than its capacity lets it be.
    full_at: Instant,
    rests_until: Option<Instant>,
}

impl Budget {
    pub(super) fn new(bounds: &Bounds, now: Instant) -> Self {
        Self {
            rate: bounds.log_rate.max(Bounds::LOG_RATE_MIN),
            full_at: now,
            rests_until: None,
        }
    }

    /// Something has been read and is passed on as it is.
    pub(super) fn pay_for_passing(&mut self, length: usize, now: Instant) {
        let missing = WORTHWHILE.saturating_sub(length as u64);
        self.pay(READ * missing / WORTHWHILE, now);
    }

    /// Something has been read, and so much written to a log.
    pub(super) fn pay_for_logging(&mut self, written: usize, now: Instant) {
        self.pay(READ.saturating_add(written as u64), now);
    }

    fn pay(&mut self, cost: u64, now: Instant) {
        self.full_at = self.full_at.max(now) + self.time_for(cost);
        let capacity = self.rate.saturating_mul(SECONDS);
        // It holds a little already when the rest is over, so that there is something to do.
        let used_up = now + self.time_for(capacity - READ);
        self.rests_until = (self.full_at > now + self.time_for(capacity))
            .then(|| now + self.full_at.saturating_duration_since(used_up));
    }

    /// Whether nothing is read now.
    pub(super) fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// Until when, if it rests.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Ends the rest if it is time.
    pub(super) fn wake(&mut self, now: Instant) {
        self.rests_until = self.rests_until.filter(|until| *until > now);
    }

    /// How long it takes to fill up by so much.
    fn time_for(&self, cost: u64) -> Duration {
        let nanoseconds = u128::from(cost) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(now: Instant) -> Budget {
        Budget::new(&Bounds::default(), now)
    }

    /// How often something can be done within ten seconds, and how much that costs, when nothing else takes time.
    fn within_ten_seconds(pay: impl Fn(&mut Budget, Instant)) -> u64 {
        let begin = Instant::now();
        let mut now = begin;
        let mut budget = budget(now);
        let mut times = 0;
        while now < begin + Duration::from_secs(10) {
            pay(&mut budget, now);
            times += 1;
            if let Some(until) = budget.rests_until() {
                now = now.max(until);
            }
            budget.wake(now);
        }
        times
    }

    #[test]
    fn who_writes_byte_by_byte_is_read_some_thousand_times_a_second() {
        let times = within_ten_seconds(|budget, now| budget.pay_for_passing(1, now));
        assert!((10_000..20_000).contains(&times), "{times}");
        let times = within_ten_seconds(|budget, now| budget.pay_for_logging(44, now));
        assert!((10_000..20_000).contains(&times), "{times}");
    }

    #[test]
    fn a_flood_fills_the_log_with_some_megabytes_a_second() {
        let chunk = 1 << 20;
        let times = within_ten_seconds(|budget, now| budget.pay_for_logging(chunk, now));
        assert!((80..110).contains(&times), "{times} MiB");
    }

    #[test]
    fn who_writes_little_or_much_at_once_does_not_wait() {
        let mut now = Instant::now();
        let mut budget = budget(now);
        for _ in 0..100_000 {
            budget.pay_for_passing(32 << 10, now);
            assert!(!budget.rests());
        }
        for _ in 0..10_000 {
            budget.pay_for_logging(200, now);
            assert!(!budget.rests());
            now += Duration::from_millis(2);
        }
    }

    #[test]
    fn the_rate_is_what_the_bounds_say() {
        let bounds = |log_rate| Bounds {
            log_rate,
            ..Bounds::default()
        };
        for rate in [Bounds::LOG_RATE_MIN, 1 << 20, 1 << 40, u64::MAX] {
            let now = Instant::now();
            let mut budget = Budget::new(&bounds(rate), now);
            budget.pay_for_logging(1 << 20, now);
            assert_eq!(budget.rests(), rate < 1 << 19, "{rate}");
            let rest = budget.rests_until().map(|until| (until - now).as_secs());
            assert!(
                rest.is_none_or(|seconds| (13..16).contains(&seconds)),
                "{rest:?}"
            );
        }
        // What is too little for a single read is not taken at its word.
        let now = Instant::now();
        assert!(!Budget::new(&bounds(0), now).rests());
    }

    #[test]
    fn a_rest_ends() {
        let now = Instant::now();
        let mut budget = budget(now);
        budget.pay_for_logging(
            usize::try_from(3 * Bounds::default().log_rate).unwrap(),
            now,
        );
        let until = budget.rests_until().unwrap();
        assert!(until > now + Duration::from_millis(900));
        assert!(until < now + Duration::from_millis(1100));
        budget.wake(now);
        assert!(budget.rests());
        budget.wake(until);
        assert!(!budget.rests());
    }
}
