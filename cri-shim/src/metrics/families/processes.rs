//! Processes, and what they have open.

use crate::metrics::facts::Facts;
use crate::metrics::family::{Family, gauge};
use crate::metrics::open_files::{Open, OpenDescriptors};

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    gauge("container_processes", "Processes", |facts| {
        facts.pids.processes
    })
    .always(),
    gauge("container_threads", "Threads", |facts| facts.pids.current).always(),
    gauge(
        "container_threads_max",
        "Most threads that there may be; 0 is any number",
        |facts| facts.pids.current.map(|_| facts.pids.limit.unwrap_or(0)),
    )
    .always(),
    gauge(
        "container_file_descriptors",
        "File descriptors that processes have open",
        |facts| Some(open(facts)?.descriptors),
    ),
    gauge(
        "container_sockets",
        "File descriptors of sockets that processes have open",
        |facts| Some(open(facts)?.sockets),
    ),
    gauge(
        "container_start_time_seconds",
        "When it was started, in seconds since 1970",
        |facts| u64::try_from(facts.started?).ok(),
    )
    .in_seconds()
    .always(),
    gauge(
        "container_last_seen",
        "When this was counted, in seconds since 1970",
        |facts| u64::try_from(facts.at).ok(),
    )
    .in_seconds(),
];

/// What processes have open. A container has that in any case, but for one that was not counted to its end: 0 would be wrong.
fn open(facts: &Facts) -> Option<OpenDescriptors> {
    match facts.open {
        Open::Counted(open) => Some(open),
        Open::Elsewhere => facts.is_of_container.then(OpenDescriptors::default),
        Open::Unknown => None,
    }
}
