//! When the pod's own processes have settled, and give back what they needed only until then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

use crate::sys::release_program_memory;
use crate::timing::poll_timeout;

/// How long a process runs before it counts as settled.
const SETTLING: Duration = Duration::from_secs(1);

/// A point in time at which memory is given back, if there is one ahead.
#[derive(Debug, Default)]
pub(crate) struct Settling(Cell<Option<Instant>>);

impl Settling {
    /// Something has been done that is not done again and again: it takes a while to settle, anew.
    pub(crate) fn begin(&self) {
        self.0.set(Instant::now().checked_add(SETTLING));
    }

    /// Gives memory back if it is time. Returns how long to wait at most for the next call, whatever else is put off until
    /// `next`. To be called right before the wait: code that runs after it is mapped again, and for each page that is
    /// touched the kernel maps its neighbours too.
    pub(crate) fn before_waiting_until(&self, next: Option<Instant>) -> PollTimeout {
        let Some(due) = self.0.get() else {
            return poll_timeout(next);
        };
        if due <= Instant::now() {
            self.0.set(None);
            release_program_memory();
            return poll_timeout(next);
        }
        poll_timeout(next.map_or(Some(due), |next| Some(next.min(due))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_once() {
        let settling = Settling::default();
        let for_ever = PollTimeout::NONE;
        assert_eq!(settling.before_waiting_until(None), for_ever);
        settling.begin();
        let timeout = settling.before_waiting_until(None).as_millis().unwrap();
        assert!((900..=1001).contains(&timeout), "{timeout}");
        let soon = Instant::now();
        let timeout = settling.before_waiting_until(Some(soon)).as_millis();
        assert_eq!(timeout, Some(1));
        settling.0.set(Some(Instant::now()));
        // It is done at once, and nobody is woken for it once more.
        assert_eq!(settling.before_waiting_until(None), for_ever);
    }
}
