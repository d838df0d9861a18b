//! Time of processors.

use crate::metrics::family::{Family, counter};

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    counter(
        "container_cpu_usage_seconds_total",
        "Processor time",
        |facts| facts.cpu.usage_ns,
    )
    .with(&[("cpu", "total")])
    .in_seconds()
    .always(),
    counter(
        "container_cpu_user_seconds_total",
        "Processor time in user mode",
        |facts| facts.cpu.user_ns,
    )
    .in_seconds()
    .always(),
    counter(
        "container_cpu_system_seconds_total",
        "Processor time in the kernel",
        |facts| facts.cpu.system_ns,
    )
    .in_seconds()
    .always(),
    counter(
        "container_cpu_cfs_periods_total",
        "Periods of its limit in which it ran",
        |facts| facts.cpu.periods,
    )
    .always(),
    counter(
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which its limit kept it from running",
        |facts| facts.cpu.throttled_periods,
    )
    .always(),
    counter(
        "container_cpu_cfs_throttled_seconds_total",
        "Time for which a limit kept it from running",
        |facts| facts.cpu.throttled_ns,
    )
    .in_seconds()
    .always(),
];
