//! When the pod's own processes have settled, and give back what they needed only until then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, poll};

use crate::sys::ProgramMemory;
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

    /// Waits for events until `next`, or until memory is to be given back. If that is now, it is, and between that and the
    /// wait there is nothing: code that runs is mapped again, and with each page that is touched its neighbours.
    ///
    /// # Errors
    /// Those of poll(2), but for an interruption: that is an event like others.
    pub(crate) fn wait(
        &self,
        events: &mut [PollFd<'_>],
        next: Option<Instant>,
    ) -> Result<(), Errno> {
        let due = self.0.get();
        let waited = if due.is_some_and(|due| due <= Instant::now()) {
            self.0.set(None);
            let timeout = poll_timeout(next);
            let memory = ProgramMemory::find();
            memory.release();
            poll(events, timeout)
        } else {
            let first = next.into_iter().chain(due).min();
            poll(events, poll_timeout(first))
        };
        match waited {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_once() {
        let settling = Settling::default();
        let soon = || Some(Instant::now());
        settling.wait(&mut [], soon()).unwrap();
        settling.begin();
        let due = settling.0.get().unwrap();
        settling.wait(&mut [], soon()).unwrap();
        assert_eq!(settling.0.get(), Some(due), "it is too early");
        // Nothing else would end this wait.
        settling.wait(&mut [], None).unwrap();
        assert!(Instant::now() >= due);
        settling.wait(&mut [], soon()).unwrap();
        assert_eq!(settling.0.get(), None);
    }
}
