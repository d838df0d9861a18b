//! Processes, and what they have open.

use crate::metrics::family::{Family, gauge};

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
        |facts| Some(facts.open?.descriptors),
    )
    .always(),
    gauge(
        "container_sockets",
        "File descriptors of sockets that processes have open",
        |facts| Some(facts.open?.sockets),
    )
    .always(),
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
