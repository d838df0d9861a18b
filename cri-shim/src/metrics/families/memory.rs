//! Memory.

use crate::metrics::family::{Family, counted, counter, each, gauge};

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "container_memory_usage_bytes",
        "Memory, with what the kernel caches of files",
        |facts| facts.memory.usage,
    )
    .always(),
    gauge(
        "container_memory_working_set_bytes",
        "Memory that can't be given back at once",
        |facts| facts.memory.working_set,
    )
    .always(),
    gauge(
        "container_memory_rss",
        "Memory that belongs to no file, in bytes",
        |facts| facts.memory.anonymous,
    )
    .always(),
    gauge(
        "container_memory_cache",
        "Memory that belongs to files, in bytes",
        |facts| facts.memory.files,
    )
    .always(),
    gauge(
        "container_memory_mapped_file",
        "Memory of files that are mapped, in bytes",
        |facts| facts.memory.mapped_files,
    )
    .always(),
    gauge(
        "container_memory_kernel_usage",
        "Memory that the kernel needs for its processes, in bytes",
        |facts| facts.memory.kernel,
    )
    .always(),
    gauge(
        "container_memory_max_usage_bytes",
        "The most memory that there has been at once",
        |facts| facts.memory.peak,
    )
    .always(),
    counter(
        "container_memory_failcnt",
        "How often the limit of memory was hit",
        |facts| facts.memory.limit_hits,
    )
    .always(),
    gauge(
        "container_memory_swap",
        "Memory that is swapped out, in bytes",
        |facts| facts.memory.swap,
    )
    .always(),
    each(
        "container_memory_failures_total",
        "Page faults",
        "failure_type",
        |facts| {
            counted([
                ("pgfault", facts.memory.page_faults),
                ("pgmajfault", facts.memory.major_page_faults),
            ])
        },
    )
    .with(&[("scope", "container")]),
    counter(
        "container_oom_events_total",
        "Processes that were killed because memory was short",
        |facts| facts.memory.oom_kills,
    )
    .always(),
];
