//! Apps whose memory has run out, and what is told of that.

use std::time::Instant;

use nix::sys::signal::Signal;
use pod::exit::{OutOfMemory, Outcome};

use super::event_loop::Pod;
use super::pod_memory::PodMemory;
use crate::app::running_app::RunningApp;
use crate::failure::StartFailure;
use crate::link::{Enclosed, MonitorLink};
use crate::protocol::FromInit;

const SIGKILL: i32 = Signal::SIGKILL as i32;

impl Pod {
    /// Memory has run out in some apps: `ready` answers their watches one by one.
    pub(super) fn memory_ran_out(&mut self, ready: &[bool]) {
        let watches = self.apps.values_mut();
        let watches = watches.filter_map(|app| app.memory.watch_mut());
        for (watch, _) in watches.zip(ready).filter(|(_, ready)| **ready) {
            watch.happened();
        }
    }

    /// Does what was put off about the memory of apps. Who can't count kills is told of them.
    pub(super) fn look_at_memory(
        &mut self,
        link: &mut dyn MonitorLink,
        now: Instant,
    ) -> Result<(), StartFailure> {
        for app in self.apps.values_mut() {
            if app.look_at_memory(now) && self.memory.is_some() {
                let message = FromInit::OomKills {
                    app: app.name.clone(),
                    oom_kills: app.seat.oom_kills(),
                };
                link.send(&message, Enclosed::default())?;
            }
        }
        Ok(())
    }

    /// How an app has ended, and what had no memory left if that is why.
    pub(super) fn with_reason(
        &mut self,
        app: &RunningApp,
        outcome: Outcome,
    ) -> (Outcome, Option<OutOfMemory>) {
        let Outcome::Signaled {
            signal: SIGKILL, ..
        } = outcome
        else {
            return (outcome, None);
        };
        let oom_killed = app.ran_out_of_memory();
        let outcome = Outcome::Signaled {
            signal: SIGKILL,
            oom_killed,
        };
        let reason = oom_killed.then(|| match app.has_hit_its_limit() {
            true => Some(OutOfMemory::App),
            false => self.memory.as_mut().map(PodMemory::why),
        });
        (outcome, reason.flatten())
    }
}
