//! How long an app waits before it starts again.

use std::time::Duration;

use pod::manifest::Restart;

/// An app that has run for so long has no past.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// How often an app has ended in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BackOff {
    in_a_row: u32,
}

impl BackOff {
    /// How long an app waits that has run for so long: at first not at all, then twice as long each time.
    pub(crate) fn next(&mut self, restart: &Restart, has_run: Duration) -> Duration {
        if has_run >= FORGOTTEN_AFTER {
            self.in_a_row = 0;
        }
        let delay = match self.in_a_row.checked_sub(1) {
            None => 0,
            Some(doublings) => {
                let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                let delay = restart.back_off_ms.saturating_mul(factor);
                delay.min(restart.max_back_off_ms)
            }
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        Duration::from_millis(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_waits_twice_as_long_up_to_five_minutes_until_one_has_lasted() {
        let restart = Restart::default();
        let mut back_off = BackOff::default();
        let mut next = |seconds| {
            let has_run = Duration::from_secs(seconds);
            back_off.next(&restart, has_run).as_secs()
        };
        let delays: Vec<u64> = (0..8).map(|_| next(599)).collect();
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(next(600), 0);
        assert_eq!(next(1), 10);
    }

    #[test]
    fn thousands_in_a_row_wait_no_longer() {
        let restart = Restart::default();
        let mut back_off = BackOff { in_a_row: u32::MAX };
        assert_eq!(back_off.next(&restart, Duration::ZERO).as_secs(), 300);
        assert_eq!(back_off.next(&restart, Duration::ZERO).as_secs(), 300);
    }
}
