//! What an app or a pod may use.

use pod::manifest::Resources;
use serde_json::{Map, Value, json};

/// Limits as Kubernetes writes them; `None` if there are none.
pub(super) fn resources(own: &Resources, whose: &str, left_out: &mut Vec<String>) -> Option<Value> {
    let (mut limits, mut requests) = (Map::new(), Map::new());
    let (memory, cpu) = (&own.memory, &own.cpu);
    let bytes = |limit: Option<pod::manifest::Limit>| limit.and_then(|limit| limit.value());
    if let Some(limit) = bytes(memory.limit) {
        limits.insert("memory".to_owned(), json!(limit.to_string()));
    }
    if let Some(reservation) = bytes(memory.reservation) {
        requests.insert("memory".to_owned(), json!(reservation.to_string()));
    }
    let period = cpu.period.unwrap_or(100_000).max(1);
    if let Some(quota) = bytes(cpu.quota) {
        let thousandths = quota.saturating_mul(1000).div_ceil(period);
        limits.insert("cpu".to_owned(), json!(format!("{thousandths}m")));
    }
    match cpu.shares {
        Some(shares) => {
            let thousandths = shares.saturating_mul(1000).div_ceil(1024);
            requests.insert("cpu".to_owned(), json!(format!("{thousandths}m")));
        }
        // Without a request, the limit would be one.
        None if limits.contains_key("cpu") => {
            requests.insert("cpu".to_owned(), json!("0"));
        }
        None => {}
    }
    for limit in &own.hugepage_limits {
        let size = limit
            .page_size
            .replace("KB", "Ki")
            .replace("MB", "Mi")
            .replace("GB", "Gi");
        limits.insert(format!("hugepages-{size}"), json!(limit.limit.to_string()));
    }
    let swap_is_usual = memory.swap.is_none() || memory.swap == memory.limit;
    let facts = [
        (
            !swap_is_usual || memory.swappiness.is_some(),
            "limits of swap",
        ),
        (!cpu.cpus.is_empty() || !cpu.mems.is_empty(), "--cpuset-…"),
        (own.pids.limit.is_some(), "--pids-limit"),
        (own.block_io != Default::default(), "limits of disks"),
        (!own.unified.is_empty(), "files of its cgroup"),
    ];
    for (is_so, what) in facts {
        if is_so {
            left_out.push(format!("{what} of {whose}"));
        }
    }
    let mut resources = Map::new();
    if !limits.is_empty() {
        resources.insert("limits".to_owned(), limits.into());
    }
    if !requests.is_empty() {
        resources.insert("requests".to_owned(), requests.into());
    }
    (!resources.is_empty()).then(|| resources.into())
}
