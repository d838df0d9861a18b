//! When the pod's own processes have settled, and give back what they needed only until then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sys::release_program_memory;

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

    /// When [`Settling::end_if_due`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.get()
    }

    /// Gives memory back if it is time. To be called right before a wait: code that runs after it is mapped again, and
    /// for each page that is touched the kernel maps its neighbours too.
    pub(crate) fn end_if_due(&self) {
        if self.due().is_some_and(|instant| instant <= Instant::now()) {
            self.0.set(None);
            release_program_memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_once() {
        let settling = Settling::default();
        assert_eq!(settling.due(), None);
        settling.begin();
        settling.end_if_due();
        assert!(settling.due().is_some(), "it is too early");
        settling.0.set(Some(Instant::now()));
        settling.end_if_due();
        assert_eq!(settling.due(), None);
    }
}
