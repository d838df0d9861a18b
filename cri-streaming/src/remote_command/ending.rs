//! When nothing is left to be sent of a process that has ended: a decision without a clock.
//!
//! Its output ends by itself, unless something that it started holds it open. Then what it had
//! written is waited for, and what comes without a pause, within bounds.

use std::time::{Duration, Instant};

/// How long output may pause. That of a virtual machine may come so late on a busy host.
const QUIET: Duration = Duration::from_secs(2);
/// How long, and how much, others may go on to write.
const AFTERWARDS: Duration = Duration::from_secs(10);
const MOST_AFTERWARDS: u64 = 16 << 20;

/// What is known of the end, and of output.
#[derive(Debug)]
pub(super) struct Ending {
    end: Option<End>,
    /// When output last came, or could last not be read since its client was too slow.
    last_output: Instant,
    was_congested: bool,
}

#[derive(Debug)]
struct End {
    at: Instant,
    /// How many bytes had been written by then that weren't read yet.
    owed: u64,
    read: u64,
}

impl Ending {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            end: None,
            last_output: now,
            was_congested: false,
        }
    }

    /// The process has ended, with so many bytes that it had written unread.
    pub(super) fn note_end(&mut self, now: Instant, owed: u64) {
        self.end = Some(End {
            at: now,
            owed,
            read: 0,
        });
    }

    /// So many bytes of output were read.
    pub(super) fn note_output(&mut self, now: Instant, bytes: u64) {
        self.last_output = now;
        if let Some(end) = &mut self.end {
            end.read += bytes;
        }
    }

    /// Whether all was read that has to be, asked before each wait. While the client is congested,
    /// no output is read.
    pub(super) fn is_over(&mut self, now: Instant, congested: bool, open: bool) -> bool {
        // Also the first time that it isn't any more: nothing could be read until now.
        if congested || self.was_congested {
            self.last_output = now;
        }
        self.was_congested = congested;
        let Some(end) = &self.end else {
            return false;
        };
        let quiet = now >= self.last_output.max(end.at) + QUIET;
        let others = now >= end.at + AFTERWARDS || end.read > MOST_AFTERWARDS;
        !open || quiet || (end.read >= end.owed && others)
    }

    /// When to ask again at the latest.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let end = self.end.as_ref().filter(|_| !self.was_congested)?;
        let quiet = self.last_output.max(end.at) + QUIET;
        let afterwards = Some(end.at + AFTERWARDS).filter(|at| *at > now);
        Some(afterwards.map_or(quiet, |at| at.min(quiet)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// One that ended just now, with 100 bytes unread.
    fn ended() -> (Ending, Instant) {
        let start = Instant::now();
        let mut ending = Ending::new(start);
        assert!(
            !ending.is_over(start + 100 * SECOND, false, false),
            "it runs"
        );
        ending.note_end(start + 100 * SECOND, 100);
        (ending, start + 100 * SECOND)
    }

    #[test]
    fn the_end_of_output_is_the_end() {
        let (mut ending, now) = ended();
        assert!(!ending.is_over(now, false, true));
        assert!(ending.is_over(now, false, false));
    }

    #[test]
    fn output_that_is_held_open_is_over_when_it_pauses() {
        let (mut ending, now) = ended();
        ending.note_output(now + SECOND, 100);
        assert_eq!(ending.wake_at(now), Some(now + 3 * SECOND));
        assert!(!ending.is_over(now + 2 * SECOND, false, true));
        assert!(ending.is_over(now + 3 * SECOND, false, true));
    }

    #[test]
    fn a_pause_of_the_client_is_none_of_the_output() {
        let (mut ending, now) = ended();
        assert!(!ending.is_over(now, true, true));
        assert_eq!(ending.wake_at(now), None);
        // Nothing was asked meanwhile: there was nothing to wake up for.
        assert!(!ending.is_over(now + 60 * SECOND, false, true));
        ending.note_output(now + 60 * SECOND, 50);
        assert!(!ending.is_over(now + 61 * SECOND, false, true));
        assert!(ending.is_over(now + 62 * SECOND, false, true));
    }

    #[test]
    fn others_may_write_for_ten_seconds_once_all_that_is_owed_was_read() {
        let (mut ending, now) = ended();
        for second in 1..15 {
            ending.note_output(now + second * SECOND, 10);
            let over = ending.is_over(now + second * SECOND, false, true);
            assert_eq!(over, second >= 10, "{second}");
        }
        let (mut ending, now) = ended();
        for second in 1..25 {
            ending.note_output(now + second * SECOND, 5);
            let over = ending.is_over(now + second * SECOND, false, true);
            assert_eq!(over, second >= 20, "{second}");
        }
    }

    #[test]
    fn others_may_write_so_much_and_no_more() {
        let (mut ending, now) = ended();
        ending.note_output(now, MOST_AFTERWARDS);
        assert!(!ending.is_over(now, false, true));
        ending.note_output(now, 1);
        assert!(ending.is_over(now, false, true));
    }
}
