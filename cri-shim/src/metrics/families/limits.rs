//! Limits.

use crate::metrics::family::{Family, gauge};

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "container_spec_memory_limit_bytes",
        "Most memory that there may be; 0 is any number",
        |facts| facts.memory.usage.map(|_| facts.memory.limit.unwrap_or(0)),
    )
    .always(),
    gauge(
        "container_spec_memory_swap_limit_bytes",
        "Most memory that may be swapped out; 0 is any number",
        |facts| {
            let limit = facts.memory.swap_limit.unwrap_or(0);
            facts.memory.swap.map(|_| limit)
        },
    )
    .always(),
    gauge(
        "container_spec_cpu_shares",
        "Its share where processors are short",
        |facts| facts.cpu_shares,
    )
    .always(),
    gauge(
        "container_spec_cpu_quota",
        "Microseconds of processor time in each period",
        |facts| facts.cpu_quota,
    ),
    gauge(
        "container_spec_cpu_period",
        "The period of the quota, in microseconds",
        |facts| facts.cpu_period,
    )
    .always(),
];
