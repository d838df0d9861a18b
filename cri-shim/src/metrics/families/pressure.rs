//! How long processes waited for something. Only cgroups of version 2 count it.

use pod::control::Stalls;

use crate::metrics::family::{Family, counter};

macro_rules! stalled {
    ($name:literal, $help:literal, $what:ident, $who:ident) => {
        counter($name, $help, |facts| {
            let nanoseconds = |stalls: Stalls| stalls.$who.total_us.saturating_mul(1000);
            facts.pressure.$what.map(nanoseconds)
        })
        .in_seconds()
    };
}

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    stalled!(
        "container_pressure_cpu_stalled_seconds_total",
        "Time for which all processes waited for a processor",
        cpu,
        full
    ),
    stalled!(
        "container_pressure_cpu_waiting_seconds_total",
        "Time for which some process waited for a processor",
        cpu,
        some
    ),
    stalled!(
        "container_pressure_memory_stalled_seconds_total",
        "Time for which all processes waited for memory",
        memory,
        full
    ),
    stalled!(
        "container_pressure_memory_waiting_seconds_total",
        "Time for which some process waited for memory",
        memory,
        some
    ),
    stalled!(
        "container_pressure_io_stalled_seconds_total",
        "Time for which all processes waited for disks",
        io,
        full
    ),
    stalled!(
        "container_pressure_io_waiting_seconds_total",
        "Time for which some process waited for disks",
        io,
        some
    ),
];
