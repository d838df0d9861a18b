//! What apps use, as their cgroups count it. What a host doesn't count is absent.

use serde::{Deserialize, Serialize};

use super::network_use::NetworkUse;
use crate::id::AppName;
use crate::timestamp::Timestamp;

/// What the apps of a pod use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodStats {
    /// When it was counted.
    pub time: Timestamp,
    /// The apps that run.
    pub apps: Vec<AppStats>,
    /// All of them together, with pod init. Absent if one app was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub whole: Option<Usage>,
    /// What went through its network, where no process of the host's is in that: that of a virtual machine.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<NetworkUse>,
}

/// What all apps of a pod use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Usage {
    /// Processor time.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Processes.
    pub pids: PidsStats,
    /// Disks.
    pub block_io: BlockIoStats,
    /// How long its processes waited for something.
    pub pressure: Pressure,
}

/// What one app uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppStats {
    /// Its name.
    pub app: AppName,
    /// Processor time.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Processes.
    pub pids: PidsStats,
    /// Disks.
    #[serde(default)]
    pub block_io: BlockIoStats,
    /// How long its processes waited for something.
    #[serde(default)]
    pub pressure: Pressure,
}

/// Bytes that went through block devices. On cgroups of version 1 they are counted only of apps that have limits of disks,
/// on version 2 from the first look on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct BlockIoStats {
    /// Read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    /// Written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// How often something was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// How often something was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u64>,
}

/// Processor time, in nanoseconds since the app's cgroup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CpuStats {
    /// All.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_ns: Option<u64>,
    /// In user mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ns: Option<u64>,
    /// In the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_ns: Option<u64>,
    /// How long it was kept from running by its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// Periods of its limit in which it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<u64>,
    /// Those in which it was kept from running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_periods: Option<u64>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MemoryStats {
    /// All, with what the kernel caches of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// What can't be given back at once: all but cached files that were not used lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_set: Option<u64>,
    /// What belongs to no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<u64>,
    /// What belongs to files, mapped or not. Monitors from before it was counted don't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// What files that are mapped take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_files: Option<u64>,
    /// What the kernel itself needs for its processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<u64>,
    /// The most that there has been at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<u64>,
    /// How often its limit was hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_hits: Option<u64>,
    /// What is swapped out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<u64>,
    /// Most that there may be, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Most of swap alone, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_limit: Option<u64>,
    /// Page faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_faults: Option<u64>,
    /// Those for which something had to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major_page_faults: Option<u64>,
    /// How many of its processes the kernel killed because memory was short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
}

impl MemoryStats {
    /// What the app can still have before it is at its limit, as kubelets count it.
    pub fn available(&self) -> Option<u64> {
        let (limit, working_set) = (self.limit?, self.working_set?);
        Some(limit.saturating_sub(working_set))
    }
}

/// How long processes waited for something (the kernel's pressure stall information). Only cgroups of version 2 count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Pressure {
    /// For a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Stalls>,
    /// For memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Stalls>,
    /// For disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<Stalls>,
}

/// How long processes waited for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Stalls {
    /// At least one of them.
    pub some: StallTimes,
    /// All of them at once.
    pub full: StallTimes,
}

/// Shares of time, in hundredths of a percent, and the time as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct StallTimes {
    /// Of the last 10 seconds.
    pub avg10: u32,
    /// Of the last minute.
    pub avg60: u32,
    /// Of the last 5 minutes.
    pub avg300: u32,
    /// In microseconds, since the cgroup was made.
    pub total_us: u64,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PidsStats {
    /// How many processes there are; `current` counts their threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Most that there may be, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}
