//! Whose memory had run out when an app was killed because of that, in a machine of its own.

use pod::exit::OutOfMemory;

use crate::cgroup::{LimitHits, PodCgroups};

/// The memory of all apps together. Beyond that there is the machine's alone.
#[derive(Debug)]
pub(crate) struct PodMemory {
    hits: LimitHits,
    /// How often the pod's limit had been why, when somebody looked last.
    seen: u64,
}

impl PodMemory {
    /// `None` where the kernel doesn't tell.
    pub(super) fn of(cgroups: &PodCgroups) -> Option<Self> {
        let hits = cgroups.limit_hits()?;
        Some(Self { hits, seen: 0 })
    }

    /// What had run out, if it was not the memory that the app itself may have.
    pub(super) fn why(&mut self) -> OutOfMemory {
        let hits = self.hits.count();
        match hits > std::mem::replace(&mut self.seen, hits) {
            true => OutOfMemory::Pod,
            false => OutOfMemory::Machine,
        }
    }
}
