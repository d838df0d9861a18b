//! The metrics: what each is called, and how it is made of facts. What is not counted here has no metric.

use pod::control::Stalls;

use super::facts::Facts;
use crate::api::MetricType::{self, Counter, Gauge};

/// The labels of all metrics, in order; some metrics have another one after them.
pub(super) const LABELS: [&str; 6] = ["container", "id", "image", "name", "namespace", "pod"];

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// One metric.
pub(super) struct Family {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) help: &'static str,
    /// Whether it only grows.
    pub(super) kind: MetricType,
    /// The label that it has beside [`LABELS`].
    pub(super) label: Option<&'static str>,
    /// How many of what is counted make one.
    pub(super) unit: u64,
    values: Values,
}

enum Values {
    /// At most one.
    One(fn(&Facts) -> Option<u64>),
    /// One for each value of the label.
    Each(fn(&Facts) -> Vec<(String, u64)>),
}

impl Family {
    /// Its values, each with that of its own label, if it has one.
    pub(super) fn values(&self, facts: &Facts) -> Vec<(Option<String>, u64)> {
        match self.values {
            Values::One(value) => value(facts)
                .map(|value| (None, value))
                .into_iter()
                .collect(),
            Values::Each(values) => {
                let values = values(facts).into_iter();
                values.map(|(label, value)| (Some(label), value)).collect()
            }
        }
    }
}

const fn one(
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    unit: u64,
    value: fn(&Facts) -> Option<u64>,
) -> Family {
    Family {
        name,
        help,
        kind,
        label: None,
        unit,
        values: Values::One(value),
    }
}

const fn each(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: fn(&Facts) -> Vec<(String, u64)>,
) -> Family {
    Family {
        name,
        help,
        kind: Counter,
        label: Some(label),
        unit: 1,
        values: Values::Each(values),
    }
}

macro_rules! traffic {
    ($name:literal, $help:literal, $direction:ident, $count:ident) => {
        each($name, $help, "interface", |facts| {
            let interfaces = facts.interfaces.iter();
            interfaces
                .map(|one| (one.name.clone(), one.$direction.$count))
                .collect()
        })
    };
}

macro_rules! stalled {
    ($name:literal, $help:literal, $what:ident, $who:ident) => {
        one($name, $help, Counter, SECOND, |facts| {
            let nanoseconds = |stalls: Stalls| stalls.$who.total_us.saturating_mul(1000);
            facts.pressure.$what.map(nanoseconds)
        })
    };
}

/// All metrics.
pub(super) const FAMILIES: &[Family] = &[
    one(
        "container_cpu_usage_seconds_total",
        "Processor time",
        Counter,
        SECOND,
        |facts| facts.cpu.usage_ns,
    ),
    one(
        "container_cpu_user_seconds_total",
        "Processor time in user mode",
        Counter,
        SECOND,
        |facts| facts.cpu.user_ns,
    ),
    one(
        "container_cpu_system_seconds_total",
        "Processor time in the kernel",
        Counter,
        SECOND,
        |facts| facts.cpu.system_ns,
    ),
    one(
        "container_cpu_cfs_throttled_seconds_total",
        "Time for which a limit kept it from running",
        Counter,
        SECOND,
        |facts| facts.cpu.throttled_ns,
    ),
    one(
        "container_memory_usage_bytes",
        "Memory, with what the kernel caches of files",
        Gauge,
        1,
        |facts| facts.memory.usage,
    ),
    one(
        "container_memory_working_set_bytes",
        "Memory that can't be given back at once",
        Gauge,
        1,
        |facts| facts.memory.working_set,
    ),
    one(
        "container_memory_rss",
        "Memory that belongs to no file, in bytes",
        Gauge,
        1,
        |facts| facts.memory.anonymous,
    ),
    one(
        "container_memory_cache",
        "Memory that belongs to files, in bytes",
        Gauge,
        1,
        |facts| Some(facts.memory.usage?.saturating_sub(facts.memory.anonymous?)),
    ),
    one(
        "container_memory_swap",
        "Memory that is swapped out, in bytes",
        Gauge,
        1,
        |facts| facts.memory.swap,
    ),
    each(
        "container_memory_failures_total",
        "Page faults",
        "failure_type",
        |facts| {
            let kinds = [
                ("pgfault", facts.memory.page_faults),
                ("pgmajfault", facts.memory.major_page_faults),
            ];
            let counted = kinds.into_iter();
            counted
                .filter_map(|(kind, count)| Some((kind.to_owned(), count?)))
                .collect()
        },
    ),
    one(
        "container_oom_events_total",
        "Processes that were killed because memory was short",
        Counter,
        1,
        |facts| facts.memory.oom_kills,
    ),
    one("container_processes", "Processes", Gauge, 1, |facts| {
        facts.pids.processes
    }),
    one("container_threads", "Threads", Gauge, 1, |facts| {
        facts.pids.current
    }),
    one(
        "container_threads_max",
        "Most threads that there may be; 0 is any number",
        Gauge,
        1,
        |facts| facts.pids.current.map(|_| facts.pids.limit.unwrap_or(0)),
    ),
    one(
        "container_fs_reads_bytes_total",
        "Bytes read from disks",
        Counter,
        1,
        |facts| facts.block_io.read,
    ),
    one(
        "container_fs_writes_bytes_total",
        "Bytes written to disks",
        Counter,
        1,
        |facts| facts.block_io.written,
    ),
    one(
        "container_fs_reads_total",
        "Reads from disks",
        Counter,
        1,
        |facts| facts.block_io.reads,
    ),
    one(
        "container_fs_writes_total",
        "Writes to disks",
        Counter,
        1,
        |facts| facts.block_io.writes,
    ),
    one(
        "container_fs_usage_bytes",
        "Bytes of what was changed of the image",
        Gauge,
        1,
        |facts| Some(facts.written?.bytes),
    ),
    traffic!(
        "container_network_receive_bytes_total",
        "Bytes received",
        received,
        bytes
    ),
    traffic!(
        "container_network_receive_packets_total",
        "Packets received",
        received,
        packets
    ),
    traffic!(
        "container_network_receive_errors_total",
        "Packets received with errors",
        received,
        errors
    ),
    traffic!(
        "container_network_receive_packets_dropped_total",
        "Packets received and dropped",
        received,
        dropped
    ),
    traffic!(
        "container_network_transmit_bytes_total",
        "Bytes sent",
        sent,
        bytes
    ),
    traffic!(
        "container_network_transmit_packets_total",
        "Packets sent",
        sent,
        packets
    ),
    traffic!(
        "container_network_transmit_errors_total",
        "Packets that could not be sent",
        sent,
        errors
    ),
    traffic!(
        "container_network_transmit_packets_dropped_total",
        "Packets dropped before they were sent",
        sent,
        dropped
    ),
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
    one(
        "container_start_time_seconds",
        "When it was started, in seconds since 1970",
        Gauge,
        SECOND,
        |facts| u64::try_from(facts.started?).ok(),
    ),
    one(
        "container_last_seen",
        "When this was counted, in seconds since 1970",
        Gauge,
        SECOND,
        |facts| u64::try_from(facts.at).ok(),
    ),
    one(
        "container_spec_memory_limit_bytes",
        "Most memory that there may be; 0 is any number",
        Gauge,
        1,
        |facts| facts.memory.usage.map(|_| facts.memory.limit.unwrap_or(0)),
    ),
    one(
        "container_spec_memory_swap_limit_bytes",
        "Most memory that may be swapped out; 0 is any number",
        Gauge,
        1,
        |facts| {
            facts
                .memory
                .swap
                .map(|_| facts.memory.swap_limit.unwrap_or(0))
        },
    ),
    one(
        "container_spec_cpu_shares",
        "Its share where processors are short",
        Gauge,
        1,
        |facts| facts.cpu_shares,
    ),
    one(
        "container_spec_cpu_quota",
        "Microseconds of processor time in each period",
        Gauge,
        1,
        |facts| facts.cpu_quota,
    ),
    one(
        "container_spec_cpu_period",
        "The period of the quota, in microseconds",
        Gauge,
        1,
        |facts| facts.cpu_period,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use pod::control::{InterfaceUse, MemoryStats, Traffic};

    fn values(name: &str, facts: &Facts) -> Vec<(Option<String>, u64)> {
        let family = FAMILIES.iter().find(|family| family.name == name).unwrap();
        family.values(facts)
    }

    #[test]
    fn what_is_not_counted_has_no_metric() {
        let nothing = Facts::default();
        for family in FAMILIES {
            let is_time = family.name == "container_last_seen";
            assert_eq!(
                family.values(&nothing).is_empty(),
                !is_time,
                "{}",
                family.name
            );
            assert!(!family.help.is_empty() && family.unit > 0);
        }
        let names: std::collections::BTreeSet<_> = FAMILIES.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
    }

    #[test]
    fn values_are_made_of_facts() {
        let facts = Facts {
            memory: MemoryStats {
                usage: Some(10),
                anonymous: Some(4),
                page_faults: Some(7),
                ..MemoryStats::default()
            },
            interfaces: vec![InterfaceUse {
                name: "eth0".to_owned(),
                received: Traffic {
                    bytes: 5,
                    ..Traffic::default()
                },
                ..InterfaceUse::default()
            }],
            ..Facts::default()
        };
        let label = |text: &str| Some(text.to_owned());
        assert_eq!(values("container_memory_cache", &facts), [(None, 6)]);
        assert_eq!(
            values("container_memory_failures_total", &facts),
            [(label("pgfault"), 7)]
        );
        assert_eq!(
            values("container_spec_memory_limit_bytes", &facts),
            [(None, 0)]
        );
        assert_eq!(
            values("container_network_receive_bytes_total", &facts),
            [(label("eth0"), 5)]
        );
        assert_eq!(
            values("container_network_transmit_bytes_total", &facts),
            [(label("eth0"), 0)]
        );
    }
}
