//! Pod init that has not said a word yet, and may be stuck on its way: a machine has to boot first. Nothing of the pod has run
//! then, and another one can take its place.

use std::time::{Duration, Instant};

use super::event_loop::Monitor;
use super::isolator::{Isolator, StartedAgain};
use crate::failure::StartFailure;

/// How long it is until somebody looks again.
const PAUSE: Duration = Duration::from_secs(1);

impl Monitor {
    /// Looks, if it is time.
    pub(super) fn look_at_start(
        &mut self,
        now: Instant,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(at) = self.look_at_start_at else {
            return Ok(());
        };
        if !self.init.is_unheard() || self.init_is_dead || self.stop_requested {
            self.look_at_start_at = None;
            isolator.has_begun();
            return Ok(());
        }
        if now < at {
            return Ok(());
        }
        self.look_at_start_at = now.checked_add(PAUSE);
        let Some(again) = isolator.begin_again()? else {
            return Ok(());
        };
        let StartedAgain {
            process,
            socket,
            warning,
        } = again;
        self.init_pidfd = process;
        self.companions = isolator.companions();
        self.init.begin_again(socket)?;
        self.diagnostics.tell(&warning);
        Ok(())
    }
}
