//! What processes of an app are limited by, beside their cgroup.

use pod::manifest::{Execution, RlimitKind};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit};

use crate::app::child::ProcessLimits;

/// The file mode creation mask of apps that ask for no other.
const UMASK: u32 = 0o022;

/// The limits of an app's processes.
pub(crate) fn of(execution: &Execution) -> ProcessLimits {
    let limits = execution.rlimits.iter();
    ProcessLimits {
        umask: Mode::from_raw_mode(execution.user.umask.unwrap_or(UMASK)),
        resources: limits
            .map(|limit| (resource(limit.kind), in_kernel(limit.soft, limit.hard)))
            .collect(),
    }
}

/// What is written to `/proc/self/oom_score_adj`.
pub(crate) fn score(adjustment: i16) -> Vec<u8> {
    adjustment.to_string().into_bytes()
}

/// A limit as the kernel has it.
pub(crate) fn in_kernel(soft: u64, hard: u64) -> Rlimit {
    // The highest number is how the kernel says that there is none.
    let bound = |number: u64| Some(number).filter(|number| *number != u64::MAX);
    Rlimit {
        current: bound(soft),
        maximum: bound(hard),
    }
}

/// What setrlimit(2) calls it.
pub(crate) fn resource(kind: RlimitKind) -> Resource {
    match kind {
        RlimitKind::As => Resource::As,
        RlimitKind::Core => Resource::Core,
        RlimitKind::Cpu => Resource::Cpu,
        RlimitKind::Data => Resource::Data,
        RlimitKind::Fsize => Resource::Fsize,
        RlimitKind::Locks => Resource::Locks,
        RlimitKind::Memlock => Resource::Memlock,
        RlimitKind::Msgqueue => Resource::Msgqueue,
        RlimitKind::Nice => Resource::Nice,
        RlimitKind::Nofile => Resource::Nofile,
        RlimitKind::Nproc => Resource::Nproc,
        RlimitKind::Rss => Resource::Rss,
        RlimitKind::Rtprio => Resource::Rtprio,
        RlimitKind::Rttime => Resource::Rttime,
        RlimitKind::Sigpending => Resource::Sigpending,
        RlimitKind::Stack => Resource::Stack,
    }
}
