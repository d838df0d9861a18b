//! Virtual machines: whether some can run here.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::config::directories::Directories;
use engine::machine::VirtualMachines;

/// Whether virtual machines can run here. What is read for it takes a while, and kubelets ask each few seconds.
#[derive(Debug, Default)]
pub(crate) struct Machines(Mutex<Option<(Instant, Option<String>)>>);

impl Machines {
    /// How long what was read counts.
    const FRESH: Duration = Duration::from_secs(30);

    /// What they need and is not there.
    pub(crate) fn lack(&self, directories: &Directories) -> Option<String> {
        let now = Instant::now();
        // The entry is whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((read, lack)) if now.saturating_duration_since(*read) < Self::FRESH => {
                lack.clone()
            }
            _ => {
                let lack = VirtualMachines::read(directories).lack();
                known.insert((now, lack)).1.clone()
            }
        }
    }
}
