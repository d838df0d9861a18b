//! Limits of an app's cgroup: the OCI runtime specification's `linux.resources`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limit::Limit;
use super::presence::is_default;

/// Length of a period where none is given, in microseconds: the kernel's.
const USUAL_PERIOD: u64 = 100_000;

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

    /// Whether these limits can hold together.
    ///
    /// # Errors
    /// Which can't.
    pub fn check(&self) -> Result<(), Contradiction> {
        let bytes = |limit: Option<Limit>| limit.and_then(Limit::value);
        let memory = bytes(self.memory.limit);
        match (memory, bytes(self.memory.swap)) {
            (None, Some(_)) => return Err(Contradiction::SwapAlone),
            (Some(memory), Some(swap)) if swap < memory => {
                return Err(Contradiction::SwapBelowMemory { memory, swap });
            }
            _ => {}
        }
        match (memory, bytes(self.memory.reservation)) {
            (Some(memory), Some(reservation)) if reservation > memory => {
                Err(Contradiction::ReservationAboveMemory {
                    memory,
                    reservation,
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether an app with these limits can be in a pod with those.
    ///
    /// # Errors
    /// What the app may use and the pod may not.
    pub fn check_within(&self, pod: &Self) -> Result<(), Contradiction> {
        for (what, own, of_pod) in [
            ("processor", &self.cpu.cpus, &pod.cpu.cpus),
            ("memory node", &self.cpu.mems, &pod.cpu.mems),
        ] {
            let there = numbers(of_pod);
            let missing = numbers(own).find(|number| !there.clone().any(|one| one == *number));
            if let (Some(number), false) = (missing, of_pod.is_empty()) {
                return Err(Contradiction::NotOfPod {
                    what,
                    number,
                    of_pod: of_pod.clone(),
                });
            }
        }
        match (self.cpu.processors(), pod.cpu.processors()) {
            (Some(own), Some(of_pod)) if own > of_pod => {
                Err(Contradiction::MoreProcessors { own, of_pod })
            }
            _ => Ok(()),
        }
    }

    /// These limits, but for those that `given` has. Where no swap was allowed, none is with another limit of memory.
    ///
    /// # Errors
    /// If they can't hold together.
    pub fn with(&self, given: &Self) -> Result<Self, Contradiction> {
        let mut all = self.clone();
        let replace = |old: &mut Option<Limit>, new: Option<Limit>| *old = new.or(*old);
        let had_no_swap = self.memory.with_swap() == self.memory.limit;
        replace(&mut all.memory.limit, given.memory.limit);
        let lifted = given.memory.limit == Some(Limit::Unlimited);
        if (had_no_swap || lifted) && given.memory.limit.is_some() {
            all.memory.swap = given.memory.limit;
        }
        replace(&mut all.memory.swap, given.memory.swap);
        replace(&mut all.memory.reservation, given.memory.reservation);
        all.memory.swappiness = given.memory.swappiness.or(self.memory.swappiness);
        all.cpu.shares = given.cpu.shares.or(self.cpu.shares);
        replace(&mut all.cpu.quota, given.cpu.quota);
        all.cpu.period = given.cpu.period.or(self.cpu.period);
        let words = |old: &mut String, new: &String| {
            if !new.is_empty() {
                old.clone_from(new);
            }
        };
        words(&mut all.cpu.cpus, &given.cpu.cpus);
        words(&mut all.cpu.mems, &given.cpu.mems);
        replace(&mut all.pids.limit, given.pids.limit);
        all.block_io.replace(&given.block_io);
        for limit in &given.hugepage_limits {
            all.hugepage_limits
                .retain(|old| old.page_size != limit.page_size);
            all.hugepage_limits.push(limit.clone());
        }
        all.unified.extend(given.unified.clone());
        all.check()?;
        Ok(all)
    }

    /// What to ask of a cgroup that has these limits so that it has `next` and no other: what `next` leaves out is
    /// taken off, where the kernel has a way to say that nothing is limited; the number of processes is then `pids`.
    pub fn changed_to(&self, next: &Self, pids: Limit) -> Self {
        const USUAL_SHARES: u64 = 1024;
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

impl Memory {
    /// Most of memory and swap together: where nothing is said of it, no swap, since a limit of memory that could be swapped
    /// around would be none.
    pub fn with_swap(&self) -> Option<Limit> {
        self.swap.or(self.limit)
    }
}

/// The numbers of a list such as `0-3,7`.
fn numbers(list: &str) -> impl Iterator<Item = u32> + Clone + '_ {
    list.split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) => first..=last,
            // Of what is no list the kernel says so.
            _ => std::ops::RangeInclusive::new(1, 0),
        }
    })
}

/// Why a change of limits makes no sense: what it leaves as it is, is below it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Contradiction {
    /// More memory than memory and swap together.
    #[error("{memory} bytes of memory are more than the {swap} bytes of memory and swap together")]
    SwapBelowMemory {
        /// The limit of memory.
        memory: u64,
        /// The limit of both.
        swap: u64,
    },
    /// A reservation of more than there may be.
    #[error("{reservation} bytes can't be reserved of {memory} bytes of memory")]
    ReservationAboveMemory {
        /// The limit of memory.
        memory: u64,
        /// The reservation.
        reservation: u64,
    },
    /// A limit of memory and swap, and none of memory.
    #[error("memory and swap together are limited only where memory is limited, too")]
    SwapAlone,
    /// An app is to run where the pod may not.
    #[error("{what} {number} is not among those of the pod, which are {of_pod}")]
    NotOfPod {
        /// A processor, or a memory node.
        what: &'static str,
        /// Which one.
        number: u32,
        /// Those of the pod.
        of_pod: String,
    },
    /// An app is to have more processor time than its pod: cgroups of version 1 take no such limit, and in those of
    /// version 2 it would say nothing.
    #[error("the time of {own} processors is more than the pod has, which is that of {of_pod}")]
    MoreProcessors {
        /// How many processors' time the app is to have.
        own: f64,
        /// How many the pod has.
        of_pod: f64,
    },
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
    /// How readily the kernel swaps: 0 to 100. Only cgroups of version 1 have that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub swappiness: Option<u8>,
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

impl Cpu {
    /// The time of how many processors there is at most.
    fn processors(&self) -> Option<f64> {
        let quota = self.quota.and_then(Limit::value)?;
        let period = self.period.unwrap_or(USUAL_PERIOD);
        // Both are far below what a float tells apart: the kernel takes a second at most.
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of at most some seconds"
        )]
        (period > 0).then(|| quota as f64 / period as f64)
    }
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

impl BlockIo {
    fn replace(&mut self, given: &Self) {
        self.weight = given.weight.or(self.weight);
        for device in &given.weight_device {
            let same = |old: &WeightDevice| (old.major, old.minor) == (device.major, device.minor);
            self.weight_device.retain(|old| !same(old));
            self.weight_device.push(*device);
        }
        for (old, given) in [
            (
                &mut self.throttle_read_bps_device,
                &given.throttle_read_bps_device,
            ),
            (
                &mut self.throttle_write_bps_device,
                &given.throttle_write_bps_device,
            ),
            (
                &mut self.throttle_read_iops_device,
                &given.throttle_read_iops_device,
            ),
            (
                &mut self.throttle_write_iops_device,
                &given.throttle_write_iops_device,
            ),
        ] {
            for device in given {
                old.retain(|old| (old.major, old.minor) != (device.major, device.minor));
                old.push(*device);
            }
        }
    }
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
    /// The rate; 0 is no limit.
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
mod tests;
