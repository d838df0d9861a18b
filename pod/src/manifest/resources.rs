//! Limits of an app's cgroup: the OCI runtime specification's `linux.resources`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limit::Limit;
use super::presence::is_default;

/// Limits of one app; what is absent is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resources {
    /// Memory.
    #[serde(skip_serializing_if = "is_default", default)]
    pub memory: Memory,
    /// Processor time.
    #[serde(skip_serializing_if = "is_default", default)]
    pub cpu: Cpu,
    /// Processes.
    #[serde(skip_serializing_if = "is_default", default)]
    pub pids: Pids,
    /// Block devices.
    #[serde(skip_serializing_if = "is_default", default)]
    pub block_io: BlockIo,
    /// Huge pages.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Files of the unified cgroup hierarchy, and what is written to each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub unified: BTreeMap<String, String>,
}

impl Resources {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// What to ask of a cgroup that has these limits so that it has `next` and no other: what `next` leaves out is
    /// taken off, where the kernel has a way to say that nothing is limited; the number of processes is then `pids`.
    pub fn changed_to(&self, next: &Self, pids: Limit) -> Self {
        const USUAL_SHARES: u64 = 1024;
        const USUAL_PERIOD: u64 = 100_000;
        let lift = |before: Option<Limit>, next: Option<Limit>| {
            next.or_else(|| before.map(|_| Limit::Unlimited))
        };
        let mut all = next.clone();
        all.memory.limit = lift(self.memory.limit, next.memory.limit);
        all.memory.reservation = lift(self.memory.reservation, next.memory.reservation);
        all.memory.swap = lift(self.memory.swap, next.memory.swap);
        all.cpu.quota = lift(self.cpu.quota, next.cpu.quota);
        let usual = |before: Option<u64>, value| before.map(|_| value);
        all.cpu.period = next
            .cpu
            .period
            .or_else(|| usual(self.cpu.period, USUAL_PERIOD));
        all.cpu.shares = next
            .cpu
            .shares
            .or_else(|| usual(self.cpu.shares, USUAL_SHARES));
        all.pids.limit = next.pids.limit.or(self.pids.limit.map(|_| pids));
        all
    }
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Memory {
    /// Most of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
    /// What the app keeps when memory is short.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reservation: Option<Limit>,
    /// Most of memory and swap together: as much as `limit` says is no swap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swap: Option<Limit>,
}

/// Processor time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cpu {
    /// Weight against other cgroups: 1024 is the usual one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shares: Option<u64>,
    /// Most of it in each period, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quota: Option<Limit>,
    /// The length of a period, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<u64>,
    /// On which processors: `0-3,7`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub cpus: String,
    /// On which memory nodes.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub mems: String,
}

/// Processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pids {
    /// Most processes and threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Limit>,
}

/// Block devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BlockIo {
    /// Weight against other cgroups: 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<u16>,
    /// Weight on one device.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub weight_device: Vec<WeightDevice>,
    /// Most bytes read in a second.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Most bytes written in a second.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Most reads in a second.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Most writes in a second.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub throttle_write_iops_device: Vec<ThrottleDevice>,
}

/// A weight on one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WeightDevice {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// The weight.
    pub weight: u16,
}

/// A rate on one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ThrottleDevice {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// The rate.
    pub rate: u64,
}

/// Most of the huge pages of one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HugepageLimit {
    /// Their size, as the kernel writes it: `2MB`.
    pub page_size: String,
    /// Most of them, in bytes.
    pub limit: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_leaves_out_is_taken_off_and_nothing_else_is_touched() {
        let before = Resources {
            memory: Memory {
                limit: Some(Limit::At(4096)),
                ..Memory::default()
            },
            cpu: Cpu {
                shares: Some(2),
                ..Cpu::default()
            },
            ..Resources::default()
        };
        let next = Resources {
            pids: Pids {
                limit: Some(Limit::At(7)),
            },
            ..Resources::default()
        };
        let asked = before.changed_to(&next, Limit::At(9));
        assert_eq!(asked.memory.limit, Some(Limit::Unlimited));
        assert_eq!(asked.cpu.shares, Some(1024));
        assert_eq!(asked.pids.limit, Some(Limit::At(7)));
        assert_eq!((asked.cpu.quota, asked.cpu.period), (None, None));
        assert_eq!(Resources::default().changed_to(&next, Limit::At(9)), next);
        let lifted = next.changed_to(&before, Limit::At(9));
        assert_eq!(lifted.pids.limit, Some(Limit::At(9)));
    }

    fn every_limit(number: u64) -> Resources {
        let limit = Some(Limit::At(number));
        Resources {
            memory: Memory {
                limit,
                reservation: limit,
                swap: limit,
            },
            cpu: Cpu {
                shares: Some(number),
                quota: limit,
                period: Some(number),
                cpus: "0".into(),
                mems: "0".into(),
            },
            pids: Pids { limit },
            ..Resources::default()
        }
    }

    #[test]
    fn every_limit_can_be_taken_off_and_be_set_anew() {
        let (none, before, after) = (Resources::default(), every_limit(7), every_limit(8));
        assert!(none.is_unlimited() && !before.is_unlimited());
        assert_eq!(before.changed_to(&after, Limit::At(9)), after);
        assert_eq!(none.changed_to(&after, Limit::At(9)), after);
        assert_eq!(none.changed_to(&none, Limit::At(9)), none);
        let unlimited = Some(Limit::Unlimited);
        let taken_off = Resources {
            memory: Memory {
                limit: unlimited,
                reservation: unlimited,
                swap: unlimited,
            },
            cpu: Cpu {
                shares: Some(1024),
                quota: unlimited,
                period: Some(100_000),
                ..Cpu::default()
            },
            pids: Pids {
                limit: Some(Limit::At(9)),
            },
            ..Resources::default()
        };
        assert_eq!(before.changed_to(&none, Limit::At(9)), taken_off);
    }
}
