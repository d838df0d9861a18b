//! What pod init has hold of.
//!
//! Mostly it is process 1 of a pid namespace, and the kernel ends all others with it. In a pod that isn't kept apart from the
//! host, it is one of the host's processes: then the cgroups of the apps say what is the pod's, and pod init outlives the
//! monitor for as long as it takes to end that.

use rustix::process::{getpid, set_child_subreaper, set_parent_process_death_signal};

use crate::failure::StartFailure;

/// What is in pod init's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All processes of its pid namespace: it is process 1.
    PidNamespace,
    /// What is in the cgroups of the apps.
    Cgroups,
}

impl Reach {
    /// That of this process.
    pub(super) fn own() -> Self {
        match getpid().is_init() {
            true => Self::PidNamespace,
            false => Self::Cgroups,
        }
    }

    /// Makes sure that nothing of the pod is out of reach, however it ends. The monitor is there still, or has been until
    /// just now.
    pub(super) fn secure(self) -> Result<(), StartFailure> {
        if self == Self::PidNamespace {
            return Ok(());
        }
        let failed = StartFailure::os("prepare pod init");
        // What loses its parent is reaped here. From here on the end of the link tells that the monitor is gone.
        set_child_subreaper(Some(getpid()))
            .and_then(|()| set_parent_process_death_signal(None))
            .map_err(failed)
    }
}
