//! The files of version 1.

use pod::manifest::{BlockIo, Limit, Resources, ThrottleDevice};

use super::setting::{Setting, period, pids};

pub(super) const MEMORY: &str = "memory.limit_in_bytes";
/// Memory and swap together.
pub(super) const SWAP: &str = "memory.memsw.limit_in_bytes";

/// In the order in which a fresh cgroup takes them.
pub(super) fn settings(resources: &Resources) -> Vec<Setting> {
    let number = |limit: Limit| limit.value().map_or("-1".to_owned(), |v| v.to_string());
    let text = |number: u64| number.to_string();
    let (memory, cpu) = (&resources.memory, &resources.cpu);
    let one = |controller, file: &str, value: Option<String>| {
        value.map(|value| Setting::new(controller, file, value))
    };
    // A kernel without it lets nobody swap around a limit; more than none is refused without.
    let swap = one("memory", SWAP, memory.with_swap().map(number));
    let swap = swap.map(|setting| match memory.swap {
        Some(Limit::At(_)) if memory.swap != memory.limit => setting,
        _ => setting.if_there(),
    });
    let filled = |words: &str| (!words.is_empty()).then(|| words.to_owned());
    let all = [
        one("memory", MEMORY, memory.limit.map(number)),
        swap,
        one(
            "memory",
            "memory.soft_limit_in_bytes",
            memory.reservation.map(number),
        ),
        one(
            "memory",
            "memory.swappiness",
            memory.swappiness.map(u64::from).map(text),
        ),
        one("cpu", "cpu.cfs_period_us", period(resources).map(text)),
        one("cpu", "cpu.cfs_quota_us", cpu.quota.map(number)),
        one("cpu", "cpu.shares", cpu.shares.map(text)),
        one("cpuset", "cpuset.cpus", filled(&cpu.cpus)),
        one("cpuset", "cpuset.mems", filled(&cpu.mems)),
        one("pids", "pids.max", resources.pids.limit.map(pids)),
    ];
    let mut all: Vec<Setting> = all.into_iter().flatten().collect();
    block_io(&resources.block_io, &mut all);
    for limit in &resources.hugepage_limits {
        let (size, bytes) = (&limit.page_size, limit.limit.to_string());
        let file = format!("hugetlb.{size}.limit_in_bytes");
        let setting = Setting::new("hugetlb", file, bytes.clone());
        all.push(setting.unless_none(limit.limit));
        let reserved = format!("hugetlb.{size}.rsvd.limit_in_bytes");
        all.push(Setting::new("hugetlb", reserved, bytes).if_there());
    }
    all
}

fn block_io(limits: &BlockIo, all: &mut Vec<Setting>) {
    if let Some(weight) = limits.weight {
        let weight = weight.to_string();
        let setting = Setting::new("blkio", "blkio.bfq.weight", weight.clone());
        all.push(setting.or("blkio.weight", weight));
    }
    for device in &limits.weight_device {
        let line = format!("{}:{} {}", device.major, device.minor, device.weight);
        let setting = Setting::new("blkio", "blkio.bfq.weight_device", line.clone());
        all.push(setting.or("blkio.weight_device", line));
    }
    for (file, devices) in [
        ("read_bps_device", &limits.throttle_read_bps_device),
        ("write_bps_device", &limits.throttle_write_bps_device),
        ("read_iops_device", &limits.throttle_read_iops_device),
        ("write_iops_device", &limits.throttle_write_iops_device),
    ] {
        let file = format!("blkio.throttle.{file}");
        for ThrottleDevice { major, minor, rate } in devices {
            let line = format!("{major}:{minor} {rate}");
            all.push(Setting::new("blkio", file.as_str(), line));
        }
    }
}
