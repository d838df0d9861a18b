//! Metrics over the CRI, as the conformance suite looks at them.

use std::collections::{BTreeMap, BTreeSet};

use cri_shim::api::{
    ContainerConfig, LinuxContainerResources, ListMetricDescriptorsRequest,
    ListPodSandboxMetricsRequest, Metric, UpdateContainerResourcesRequest,
};

use crate::cri_containers::{Ground, script};

/// All that the suite knows.
const KNOWN: [&str; 56] = [
    "container_blkio_device_usage_total",
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
    "container_fs_reads_bytes_total",
    "container_fs_reads_total",
    "container_fs_usage_bytes",
    "container_fs_writes_bytes_total",
    "container_fs_writes_total",
    "container_hugetlb_max_usage_bytes",
    "container_hugetlb_usage_bytes",
    "container_last_seen",
    "container_memory_cache",
    "container_memory_failcnt",
    "container_memory_failures_total",
    "container_memory_kernel_usage",
    "container_memory_mapped_file",
    "container_memory_max_usage_bytes",
    "container_memory_rss",
    "container_memory_swap",
    "container_memory_usage_bytes",
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
    "container_network_receive_errors_total",
    "container_network_receive_packets_dropped_total",
    "container_network_receive_packets_total",
    "container_network_transmit_bytes_total",
    "container_network_transmit_errors_total",
    "container_network_transmit_packets_dropped_total",
    "container_network_transmit_packets_total",
    "container_oom_events_total",
    "container_pressure_cpu_stalled_seconds_total",
    "container_pressure_cpu_waiting_seconds_total",
    "container_pressure_io_stalled_seconds_total",
    "container_pressure_io_waiting_seconds_total",
    "container_pressure_memory_stalled_seconds_total",
    "container_pressure_memory_waiting_seconds_total",
    "container_processes",
    "container_sockets",
    "container_spec_cpu_period",
    "container_spec_cpu_quota",
    "container_spec_cpu_shares",
    "container_spec_memory_limit_bytes",
    "container_spec_memory_reservation_limit_bytes",
    "container_spec_memory_swap_limit_bytes",
    "container_start_time_seconds",
    "container_threads",
    "container_threads_max",
    "container_ulimits_soft",
];

/// Those that a runtime may lack.
const NOT_EVERYWHERE: [&str; 11] = [
    "container_hugetlb_max_usage_bytes",
    "container_hugetlb_usage_bytes",
    "container_pressure_cpu_stalled_seconds_total",
    "container_pressure_cpu_waiting_seconds_total",
    "container_pressure_io_stalled_seconds_total",
    "container_pressure_io_waiting_seconds_total",
    "container_pressure_memory_stalled_seconds_total",
    "container_pressure_memory_waiting_seconds_total",
    "container_spec_cpu_quota",
    "container_spec_memory_reservation_limit_bytes",
    "container_ulimits_soft",
];

/// Those that may have no value, where nothing goes through disks.
const WITHOUT_DISKS: [&str; 5] = [
    "container_blkio_device_usage_total",
    "container_fs_reads_bytes_total",
    "container_fs_reads_total",
    "container_fs_writes_bytes_total",
    "container_fs_writes_total",
];

/// The keys of the labels of each metric, in order.
fn described(ground: &Ground) -> BTreeMap<String, Vec<String>> {
    let mut client = ground.cri.runtime();
    let described = client.list_metric_descriptors(ListMetricDescriptorsRequest {});
    let described = ground.cri.call(described).unwrap().descriptors;
    let count = described.len();
    let keys = described.into_iter().map(|one| {
        assert!(!one.help.is_empty(), "{}", one.name);
        (one.name, one.label_keys)
    });
    let keys: BTreeMap<_, _> = keys.collect();
    assert_eq!(keys.len(), count);
    keys
}

/// The metrics of the only sandbox, and those of its only container.
fn measured(ground: &Ground) -> (Vec<Metric>, Vec<Metric>) {
    let mut client = ground.cri.runtime();
    let listed = client.list_pod_sandbox_metrics(ListPodSandboxMetricsRequest {});
    let mut listed = ground.cri.call(listed).unwrap().pod_metrics;
    assert_eq!(listed.len(), 1);
    let mut pod = listed.remove(0);
    assert_eq!(pod.container_metrics.len(), 1);
    (pod.metrics, pod.container_metrics.remove(0).metrics)
}

fn value(metrics: &[Metric], name: &str) -> u64 {
    let mut metrics = metrics.iter();
    let metric = metrics.find(|metric| metric.name == name).expect(name);
    metric.value.unwrap().value
}

/// A container that has something of each kind.
fn busy(resources: LinuxContainerResources) -> ContainerConfig {
    let mut config = script(
        "busy",
        "exec 7</etc/passwd 8</etc/passwd; nc -l -p 5000 & head -c 300000 /dev/zero > /written; \
         echo up; wait",
    );
    config.linux.get_or_insert_default().resources = Some(resources);
    config
}

#[test]
fn all_are_described_that_the_suite_knows() {
    let ground = Ground::new();
    let described = described(&ground);
    for name in KNOWN {
        let is_there = described.contains_key(name);
        assert!(is_there || NOT_EVERYWHERE.contains(&name), "{name}");
    }
}

#[test]
fn all_have_values_that_the_suite_wants_with_the_labels_that_are_described() {
    let ground = Ground::new();
    ground.run(&busy(LinuxContainerResources::default()));
    ground.wait_logged("busy", "up");
    let (pod, container) = measured(&ground);
    let described = described(&ground);
    let mut found = BTreeSet::new();
    for metric in pod.iter().chain(&container) {
        let keys = described.get(&metric.name).expect("a descriptor");
        assert_eq!(keys.len(), metric.label_values.len(), "{}", metric.name);
        assert!(metric.timestamp > 0 && metric.value.is_some());
        found.insert(&*metric.name);
    }
    for name in described.keys() {
        // This sandbox is in no network.
        let is_missed = NOT_EVERYWHERE.contains(&&**name) || WITHOUT_DISKS.contains(&&**name);
        let is_of_network = name.starts_with("container_network_");
        assert!(
            is_missed || is_of_network || found.contains(&**name),
            "{name}"
        );
    }
    for name in [
        "container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes",
        "container_start_time_seconds",
    ] {
        assert!(pod.iter().any(|metric| metric.name == name), "{name}");
    }
}

#[test]
fn values_are_those_of_the_container() {
    let ground = Ground::new();
    let id = ground.run(&busy(LinuxContainerResources {
        cpu_shares: 512,
        cpu_quota: 50_000,
        cpu_period: 100_000,
        memory_limit_in_bytes: 64 << 20,
        ..LinuxContainerResources::default()
    }));
    ground.wait_logged("busy", "up");
    let (_, container) = measured(&ground);
    let of = |name: &str| value(&container, name);
    // The shell's three and two more, and those of nc.
    assert!(of("container_file_descriptors") >= 9);
    assert!(of("container_sockets") >= 1);
    assert!(of("container_processes") >= 2);
    let usage = of("container_memory_usage_bytes");
    assert!(usage > 0 && of("container_memory_max_usage_bytes") > 0);
    let limit = of("container_fs_limit_bytes");
    let free = of("container_fs_inodes_free");
    assert!(limit >= 300_000 && free <= of("container_fs_inodes_total"));
    assert_eq!(of("container_spec_memory_limit_bytes"), 64 << 20);
    let processors = |container: &[Metric]| {
        let names = ["shares", "quota", "period"];
        names.map(|name| value(container, &format!("container_spec_cpu_{name}")))
    };
    assert_eq!(processors(&container), [512, 50_000, 100_000]);
    // What it may have now, not what it was made with.
    let request = UpdateContainerResourcesRequest {
        container_id: id,
        linux: Some(LinuxContainerResources {
            cpu_shares: 256,
            cpu_quota: 20_000,
            cpu_period: 50_000,
            ..LinuxContainerResources::default()
        }),
        ..UpdateContainerResourcesRequest::default()
    };
    let mut client = ground.cri.runtime();
    let updated = ground.cri.call(client.update_container_resources(request));
    updated.unwrap();
    let (_, container) = measured(&ground);
    assert_eq!(processors(&container), [256, 20_000, 50_000]);
}
