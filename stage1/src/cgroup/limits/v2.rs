//! The files of version 2.

use pod::manifest::{BlockIo, Limit, Memory, Resources};

use super::setting::{CPU_PERIOD, Setting, number_or_max, period, pids};
use super::unified;
use crate::cgroup::error::CgroupError;

const SWAP: &str = "memory.swap.max";

/// In the order in which a fresh cgroup takes them.
///
/// # Errors
/// If version 2 has no such limit.
pub(super) fn settings(resources: &Resources) -> Result<Vec<Setting>, CgroupError> {
    let (memory, cpu) = (&resources.memory, &resources.cpu);
    if memory.swappiness.is_some() {
        return Err(CgroupError::NoSwappiness);
    }
    let one = |controller, file: &str, value: Option<String>| {
        value.map(|value| Setting::new(controller, file, value))
    };
    let quota = match (cpu.quota.map(number_or_max), period(resources)) {
        (Some(quota), period) => Some(format!("{quota} {}", period.unwrap_or(CPU_PERIOD))),
        (None, Some(period)) => Some(format!("max {period}")),
        (None, None) => None,
    };
    // None is kept for it.
    let reservation = memory.reservation.map(|limit| limit.value().unwrap_or(0));
    let filled = |words: &str| (!words.is_empty()).then(|| words.to_owned());
    let all = [
        one("memory", "memory.max", memory.limit.map(number_or_max)),
        swap(memory),
        one(
            "memory",
            "memory.low",
            reservation.map(|bytes| bytes.to_string()),
        ),
        one("cpu", "cpu.max", quota),
        one("cpuset", "cpuset.cpus", filled(&cpu.cpus)),
        one("cpuset", "cpuset.mems", filled(&cpu.mems)),
        one("pids", "pids.max", resources.pids.limit.map(pids)),
    ];
    let mut all: Vec<Setting> = all.into_iter().flatten().collect();
    block_io(&resources.block_io, &mut all);
    // The last word, where two say the same.
    let by_name = unified::settings(&resources.unified)?;
    for limit in &resources.hugepage_limits {
        let (size, bytes) = (&limit.page_size, limit.limit.to_string());
        let file = format!("hugetlb.{size}.max");
        let setting = Setting::new("hugetlb", file, bytes.clone());
        all.push(setting.unless_none(limit.limit));
        let reserved = format!("hugetlb.{size}.rsvd.max");
        all.push(Setting::new("hugetlb", reserved, bytes).if_there());
    }
    all.extend(by_name);
    Ok(all)
}

/// Swap alone: what both may have together, less the memory.
fn swap(memory: &Memory) -> Option<Setting> {
    let most = match (memory.limit, memory.with_swap()?) {
        (_, Limit::Unlimited) => Limit::Unlimited,
        (Some(Limit::At(memory)), Limit::At(both)) => Limit::At(both.saturating_sub(memory)),
        (_, Limit::At(both)) => Limit::At(both),
    };
    let setting = Setting::new("memory", SWAP, number_or_max(most));
    // A kernel that does not account for swap has nothing to limit there.
    Some(match most {
        Limit::At(1..) => setting,
        Limit::At(_) | Limit::Unlimited => setting.if_there(),
    })
}

fn block_io(limits: &BlockIo, all: &mut Vec<Setting>) {
    if let Some(weight) = limits.weight {
        let setting = Setting::new("io", "io.bfq.weight", weight.to_string());
        all.push(setting.or("io.weight", converted(weight).to_string()));
    }
    for device in &limits.weight_device {
        let name = format!("{}:{}", device.major, device.minor);
        let setting = Setting::new("io", "io.bfq.weight", format!("{name} {}", device.weight));
        all.push(setting.or("io.weight", format!("{name} {}", converted(device.weight))));
    }
    for (word, devices) in [
        ("rbps", &limits.throttle_read_bps_device),
        ("wbps", &limits.throttle_write_bps_device),
        ("riops", &limits.throttle_read_iops_device),
        ("wiops", &limits.throttle_write_iops_device),
    ] {
        for device in devices {
            let rate = match device.rate {
                0 => "max".to_owned(),
                rate => rate.to_string(),
            };
            let line = format!("{}:{} {word}={rate}", device.major, device.minor);
            all.push(Setting::new("io", "io.max", line));
        }
    }
}

/// A weight of 10 to 1000, as version 1 has them, as one of 1 to 10000.
fn converted(weight: u16) -> u64 {
    let above = u64::from(weight.saturating_sub(10));
    1 + above * 9999 / 990
}
