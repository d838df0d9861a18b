//! What apps that have ended left running, until all of it is gone. A process that was being forked when the others were
//! killed is not listed yet, and one that dies is listed still.

use std::time::{Duration, Instant};

use crate::app::cgroup::CgroupSeat;

/// Between two looks at a cgroup.
const PAUSE: Duration = Duration::from_millis(10);
/// How long there may be something. A process that waits for a disk can take for ever; it goes with the pod.
const PATIENCE: Duration = Duration::from_secs(10);

/// The seats of apps that have ended.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Vec<Leftover>);

#[derive(Debug)]
struct Leftover {
    seat: CgroupSeat,
    next: Instant,
    until: Instant,
}

impl Leftovers {
    /// Kills what an app has left, now and as long as there is something.
    pub(super) fn kill(&mut self, seat: CgroupSeat) {
        let now = Instant::now();
        if seat.kill_all() {
            self.0.push(Leftover {
                seat: seat.shut(),
                next: now + PAUSE,
                until: now + PATIENCE,
            });
        }
    }

    /// When [`Leftovers::look_again`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|leftover| leftover.next).min()
    }

    /// Kills what has come to light since.
    pub(super) fn look_again(&mut self, now: Instant) {
        self.0.retain_mut(|leftover| {
            if leftover.next > now {
                return true;
            }
            leftover.next = now + PAUSE;
            leftover.seat.kill_all() && now < leftover.until
        });
    }
}
