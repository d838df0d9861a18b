//! The metrics, by the names that cAdvisor gives them. What is not counted here has none, but for those that a container has
//! to have.

mod disks;
mod limits;
mod memory;
mod networks;
mod pressure;
mod processes;
mod processors;

use super::family::Family;

/// The labels of all metrics, in order; some metrics have another one after them.
pub(super) const LABELS: [&str; 6] = ["container", "id", "image", "name", "namespace", "pod"];

/// All metrics.
pub(super) fn all() -> impl Iterator<Item = &'static Family> {
    let all = [
        processors::FAMILIES,
        memory::FAMILIES,
        processes::FAMILIES,
        disks::FAMILIES,
        networks::FAMILIES,
        pressure::FAMILIES,
        limits::FAMILIES,
    ];
    all.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::super::open_files::{Open, OpenDescriptors};
    use super::*;
    use pod::control::{BlockIoStats, InterfaceUse, MemoryStats, Traffic};

    /// Those that the conformance suite wants of a container, wherever it runs.
    const OF_CONTAINERS: [&str; 31] = [
        "container_cpu_cfs_periods_total",
        "container_cpu_cfs_throttled_periods_total",
        "container_cpu_cfs_throttled_seconds_total",
        "container_cpu_system_seconds_total",
        "container_cpu_usage_seconds_total",
        "container_cpu_user_seconds_total",
        "container_file_descriptors",
        "container_fs_inodes_free",
        "container_fs_inodes_total",
        "container_fs_limit_bytes",
        "container_fs_usage_bytes",
        "container_last_seen",
        "container_memory_cache",
        "container_memory_failcnt",
        "container_memory_kernel_usage",
        "container_memory_mapped_file",
        "container_memory_max_usage_bytes",
        "container_memory_rss",
        "container_memory_swap",
        "container_memory_usage_bytes",
        "container_memory_working_set_bytes",
        "container_oom_events_total",
        "container_processes",
        "container_sockets",
        "container_spec_cpu_period",
        "container_spec_cpu_shares",
        "container_spec_memory_limit_bytes",
        "container_spec_memory_swap_limit_bytes",
        "container_start_time_seconds",
        "container_threads",
        "container_threads_max",
    ];

    fn values(name: &str, facts: &Facts) -> Vec<(Vec<String>, u64)> {
        let family = all().find(|family| family.name == name).unwrap();
        family.values(facts)
    }

    #[test]
    fn what_is_not_counted_has_no_metric_unless_a_container_has_to_have_it() {
        let nothing = Facts::default();
        let of_container = Facts {
            is_of_container: true,
            ..Facts::default()
        };
        for family in all() {
            let is_time = family.name == "container_last_seen";
            assert_eq!(
                family.values(&nothing).is_empty(),
                !is_time,
                "{}",
                family.name
            );
            assert_eq!(
                family.values(&of_container).is_empty(),
                !OF_CONTAINERS.contains(&family.name),
                "{}",
                family.name
            );
            assert!(!family.help.is_empty() && family.unit > 0);
        }
        let names: std::collections::BTreeSet<_> = all().map(|one| one.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(OF_CONTAINERS.iter().all(|name| names.contains(name)));
    }

    #[test]
    fn values_are_made_of_facts() {
        let facts = Facts {
            memory: MemoryStats {
                usage: Some(10),
                anonymous: Some(4),
                files: Some(5),
                page_faults: Some(7),
                ..MemoryStats::default()
            },
            block_io: BlockIoStats {
                read: Some(8),
                ..BlockIoStats::default()
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
        let value = |name: &str, labels: &[&str], value| {
            let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
            assert_eq!(values(name, &facts), [(labels, value)], "{name}");
        };
        value("container_memory_cache", &[], 5);
        value(
            "container_memory_failures_total",
            &["pgfault", "container"],
            7,
        );
        let disks = ["Read", "", "", ""];
        value("container_blkio_device_usage_total", &disks, 8);
        value("container_spec_memory_limit_bytes", &[], 0);
        value("container_network_receive_bytes_total", &["eth0"], 5);
        value("container_network_transmit_bytes_total", &["eth0"], 0);
    }

    #[test]
    fn what_is_open_is_nothing_elsewhere_and_absent_where_it_is_not_known() {
        let told = |open| {
            let facts = Facts {
                is_of_container: true,
                open,
                ..Facts::default()
            };
            ["container_file_descriptors", "container_sockets"].map(|name| values(name, &facts))
        };
        assert_eq!(told(Open::Elsewhere), [[(vec![], 0)], [(vec![], 0)]]);
        assert_eq!(told(Open::Unknown), [[], []]);
        let open = OpenDescriptors {
            descriptors: 7,
            sockets: 2,
        };
        assert_eq!(told(Open::Counted(open)), [[(vec![], 7)], [(vec![], 2)]]);
    }

    #[test]
    fn labels_are_those_of_cadvisor() {
        let labels = |name: &str| {
            let family = all().find(|family| family.name == name).unwrap();
            family.labels().collect::<Vec<_>>()
        };
        assert_eq!(labels("container_cpu_usage_seconds_total"), ["cpu"]);
        assert_eq!(
            labels("container_memory_failures_total"),
            ["failure_type", "scope"]
        );
        let disks = ["operation", "device", "major", "minor"];
        assert_eq!(labels("container_blkio_device_usage_total"), disks);
        for family in all().filter(|family| family.name.starts_with("container_fs_")) {
            assert_eq!(labels(family.name), ["device"], "{}", family.name);
        }
        assert_eq!(labels("container_memory_usage_bytes"), [""; 0]);
        // A value for each label, whatever it is.
        let facts = Facts {
            is_of_container: true,
            ..Facts::default()
        };
        for family in all() {
            for (values, _) in family.values(&facts) {
                assert_eq!(values.len(), labels(family.name).len(), "{}", family.name);
            }
        }
    }
}
