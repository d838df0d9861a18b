//! The limits of a pod or an app, in the words of the flags that set them.

use std::fs;
use std::path::Path;

use engine::pods::view;
use pod::manifest::{Limit, Resources, ThrottleDevice};

/// Those that there are, each as a key that begins with `key`, and a value.
pub(super) fn limits(key: &str, limits: &Resources) -> Vec<(String, String)> {
    let number = |limit: Option<Limit>| limit.and_then(Limit::value).map(|most| most.to_string());
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (memory, cpu, disks) = (&limits.memory, &limits.cpu, &limits.block_io);
    // As much as of memory alone is no swap.
    let swap = match (memory.limit, memory.swap) {
        (Some(Limit::At(_)), Some(Limit::Unlimited)) => Some("unlimited".to_owned()),
        (limit, swap) => number(swap.filter(|_| swap != limit)),
    };
    let told = [
        ("memory-limit", number(memory.limit)),
        ("memory-swap-limit", swap),
        ("memory-reservation", number(memory.reservation)),
        (
            "memory-swappiness",
            memory.swappiness.map(|readily| readily.to_string()),
        ),
        ("cpu-limit", view::cpu_limit(cpu).map(processors)),
        ("cpu-shares", cpu.shares.map(|weight| weight.to_string())),
        ("cpuset-cpus", text(&cpu.cpus)),
        ("cpuset-mems", text(&cpu.mems)),
        ("pids-limit", number(limits.pids.limit)),
        (
            "blkio-weight",
            disks.weight.map(|weight| weight.to_string()),
        ),
    ];
    let mut all: Vec<(&str, String)> = told
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    for device in &disks.weight_device {
        let disk = disk(device.major, device.minor);
        all.push(("blkio-weight-device", format!("{disk}:{}", device.weight)));
    }
    for (name, rates) in [
        ("device-read-bps", &disks.throttle_read_bps_device),
        ("device-write-bps", &disks.throttle_write_bps_device),
        ("device-read-iops", &disks.throttle_read_iops_device),
        ("device-write-iops", &disks.throttle_write_iops_device),
    ] {
        all.extend(rates.iter().map(|rate| (name, rate_in_words(rate))));
    }
    for pages in &limits.hugepage_limits {
        let value = format!("{}={}", pages.page_size, pages.limit);
        all.push(("hugetlb", value));
    }
    let named = all.into_iter();
    named
        .map(|(name, value)| (format!("{key}-{name}"), value))
        .collect()
}

fn rate_in_words(rate: &ThrottleDevice) -> String {
    format!("{}:{}", disk(rate.major, rate.minor), rate.rate)
}

/// A disk by the name that it has now, else by its number.
fn disk(major: u32, minor: u32) -> String {
    let number = format!("{major}:{minor}");
    let link = fs::read_link(Path::new("/sys/dev/block").join(&number));
    let name = link.ok().and_then(|link| {
        let name = link.file_name()?.to_str()?;
        // What is a slash in a name is written so there.
        Some(format!("/dev/{}", name.replace('!', "/")))
    });
    name.unwrap_or(number)
}

/// Billionths of a processor, in thousandths.
fn processors(nanos: u64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
