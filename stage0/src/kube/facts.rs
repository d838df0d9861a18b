//! What pods in YAML may ask of the machine.

use std::fs;
use std::path::PathBuf;
use std::thread::available_parallelism;

use pod_yaml::Facts;

use crate::arguments::network::own_addresses;

/// What this machine is.
pub(crate) fn facts(seccomp_profiles: PathBuf) -> Facts {
    let processors = available_parallelism().map_or(1, usize::from);
    Facts {
        host_name: fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .unwrap_or_default(),
        addresses: own_addresses(),
        processors: u64::try_from(processors).unwrap_or(1),
        memory: memory().unwrap_or(0),
        seccomp_profiles,
    }
}

/// All memory of the machine, in bytes.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}
