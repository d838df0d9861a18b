//! Limits, with the flags and meanings of docker and podman.

use clap::Args;
use pod::manifest::{
    BlockIo, Contradiction, Cpu, HugepageLimit, Limit, Memory, Pids, Resources, ThrottleDevice,
    WeightDevice,
};

use super::disks::{DeviceRate, bytes_per_second, operations_per_second, weight, weight_of_device};
use super::number_list::{NumberList, number_list};
use super::quantity::{
    cpu_period, cpu_quota, cpu_shares, cpus, hugetlb, memory_limit, memory_swap, pids, swappiness,
};
use crate::wording::failure::Failure;

/// Length of the accounting period of processor time, in microseconds: the kernel's default.
const CPU_PERIOD: u64 = 100_000;
/// The weight for processor time that the kernel gives.
const USUAL_SHARES: u64 = 1024;
/// Which processors and memory nodes the host has.
const PROCESSORS: &str = "/sys/devices/system/cpu/online";
const NODES: &str = "/sys/devices/system/node/online";

/// Limits of an app.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResourceArguments {
    /// Memory limit, such as 64m; 0 for none
    #[arg(short, long, value_name = "BYTES", value_parser = memory_limit, allow_negative_numbers = true)]
    memory: Option<Limit>,
    /// Limit of memory and swap together, -1 for as much swap as there is [default: no swap]
    #[arg(long, value_name = "BYTES", value_parser = memory_swap, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    memory_swap: Option<Limit>,
    /// Memory that the app keeps when the host is short of it; 0 for none
    #[arg(long, value_name = "BYTES", value_parser = memory_limit, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    memory_reservation: Option<Limit>,
    /// How readily the app's memory is swapped: 0 to 100 (cgroups of version 1)
    #[arg(long, value_name = "NUMBER", value_parser = swappiness, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    memory_swappiness: Option<i8>,
    /// Processor limit, such as 1.5 processors; 0 for none
    #[arg(long, value_name = "NUMBER", value_parser = cpus, allow_negative_numbers = true)]
    cpus: Option<Limit>,
    /// The same as processor time in each period, in microseconds; -1 for no limit
    #[arg(long, value_name = "MICROSECONDS", value_parser = cpu_quota, allow_negative_numbers = true)]
    #[arg(hide_short_help = true, conflicts_with = "cpus")]
    cpu_quota: Option<Limit>,
    /// The length of such a period, in microseconds [default: 100000]
    #[arg(long, value_name = "MICROSECONDS", value_parser = cpu_period, allow_negative_numbers = true)]
    #[arg(hide_short_help = true, conflicts_with = "cpus")]
    cpu_period: Option<u64>,
    /// Weight for processor time; 0 for the usual one
    #[arg(long, value_name = "WEIGHT", value_parser = cpu_shares, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    cpu_shares: Option<u64>,
    /// Processors to run on, such as 0-3,7
    #[arg(long, value_name = "LIST", value_parser = number_list, hide_short_help = true)]
    cpuset_cpus: Option<NumberList>,
    /// Memory nodes to take memory from
    #[arg(long, value_name = "LIST", value_parser = number_list, hide_short_help = true)]
    cpuset_mems: Option<NumberList>,
    /// Limit of processes and threads; 0 or -1 for none
    #[arg(long, value_name = "NUMBER", value_parser = pids, allow_negative_numbers = true)]
    pids_limit: Option<Limit>,
    /// Weight for disks: 10 to 1000
    #[arg(long, visible_alias = "io-weight", value_name = "WEIGHT", value_parser = weight)]
    #[arg(hide_short_help = true)]
    blkio_weight: Option<u16>,
    /// Weight for one disk
    #[arg(long, value_name = "DEVICE:WEIGHT", value_parser = weight_of_device, hide_short_help = true)]
    blkio_weight_device: Vec<DeviceRate>,
    /// Most bytes read from a disk in a second; 0 for no limit
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bytes_per_second, hide_short_help = true)]
    device_read_bps: Vec<DeviceRate>,
    /// Most bytes written to a disk in a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = bytes_per_second, hide_short_help = true)]
    device_write_bps: Vec<DeviceRate>,
    /// Most reads from a disk in a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = operations_per_second, hide_short_help = true)]
    device_read_iops: Vec<DeviceRate>,
    /// Most writes to a disk in a second
    #[arg(long, value_name = "DEVICE:RATE", value_parser = operations_per_second, hide_short_help = true)]
    device_write_iops: Vec<DeviceRate>,
    /// Limit of huge pages of a size, such as 2MB=64m
    #[arg(long, value_name = "SIZE=BYTES", value_parser = hugetlb, hide_short_help = true)]
    hugetlb: Vec<HugepageLimit>,
    /// File of the app's cgroup and what it is to say, such as memory.high=1G (cgroups of version 2)
    #[arg(long, value_name = "FILE=VALUE", value_parser = cgroup_file, hide_short_help = true)]
    cgroup_conf: Vec<(String, String)>,
}

/// Limits of all apps of a pod together.
#[derive(Debug, Clone, Args)]
pub(crate) struct PodResourceArguments {
    /// Memory limit of all apps together; each may have its own as well
    #[arg(long, value_name = "BYTES", value_parser = memory_limit, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    pod_memory: Option<Limit>,
    /// The same of memory and swap together
    #[arg(long, value_name = "BYTES", value_parser = memory_swap, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    pod_memory_swap: Option<Limit>,
    /// Processor limit of all apps together
    #[arg(long, value_name = "NUMBER", value_parser = cpus, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    pod_cpus: Option<Limit>,
    /// Weight for processor time against other pods [default: that of its apps together]
    #[arg(long, value_name = "WEIGHT", value_parser = cpu_shares, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    pod_cpu_shares: Option<u64>,
    /// Processors for all apps
    #[arg(long, value_name = "LIST", value_parser = number_list, hide_short_help = true)]
    pod_cpuset_cpus: Option<NumberList>,
    /// Memory nodes for all apps
    #[arg(long, value_name = "LIST", value_parser = number_list, hide_short_help = true)]
    pod_cpuset_mems: Option<NumberList>,
    /// Limit of processes and threads of all apps together
    #[arg(long, value_name = "NUMBER", value_parser = pids, allow_negative_numbers = true)]
    #[arg(hide_short_help = true)]
    pod_pids_limit: Option<Limit>,
    /// Weight of the pod for disks: 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = weight, hide_short_help = true)]
    pod_blkio_weight: Option<u16>,
}

impl ResourceArguments {
    /// What was said, to change limits by: what takes a limit off says so.
    ///
    /// # Errors
    /// If the host lacks a device, a processor or a memory node.
    pub(crate) fn given(&self) -> Result<Resources, Failure> {
        let (quota, period) = match self.cpus {
            Some(millis) => (Some(quota(millis)), Some(CPU_PERIOD)),
            None => (self.cpu_quota, self.cpu_period),
        };
        Ok(Resources {
            memory: Memory {
                limit: self.memory,
                swap: self.memory_swap,
                reservation: self.memory_reservation,
                swappiness: self.memory_swappiness.and_then(|n| u8::try_from(n).ok()),
            },
            cpu: Cpu {
                shares: self.cpu_shares.map(shares),
                quota,
                period,
                cpus: listed("--cpuset-cpus", self.cpuset_cpus.as_ref(), PROCESSORS)?,
                mems: listed("--cpuset-mems", self.cpuset_mems.as_ref(), NODES)?,
            },
            pids: Pids {
                limit: self.pids_limit,
            },
            block_io: BlockIo {
                weight: self.blkio_weight,
                weight_device: weights(&self.blkio_weight_device)?,
                throttle_read_bps_device: found("--device-read-bps", &self.device_read_bps)?,
                throttle_write_bps_device: found("--device-write-bps", &self.device_write_bps)?,
                throttle_read_iops_device: found("--device-read-iops", &self.device_read_iops)?,
                throttle_write_iops_device: found("--device-write-iops", &self.device_write_iops)?,
            },
            hugepage_limits: self.hugetlb.clone(),
            unified: self.cgroup_conf.iter().cloned().collect(),
        })
    }

    /// The limits of an app that is new.
    ///
    /// # Errors
    /// As [`Self::given`], and if they contradict each other.
    pub(crate) fn resources(&self) -> Result<Resources, Failure> {
        let resources = of_new(self.given()?);
        resources.check().map_err(contradiction)?;
        Ok(resources)
    }
}

impl PodResourceArguments {
    /// As [`ResourceArguments::given`].
    ///
    /// # Errors
    /// If the host lacks a processor or a memory node.
    pub(crate) fn given(&self) -> Result<Resources, Failure> {
        Ok(Resources {
            memory: Memory {
                limit: self.pod_memory,
                swap: self.pod_memory_swap,
                ..Memory::default()
            },
            cpu: Cpu {
                shares: self.pod_cpu_shares.map(shares),
                quota: self.pod_cpus.map(quota),
                period: self.pod_cpus.map(|_| CPU_PERIOD),
                cpus: listed(
                    "--pod-cpuset-cpus",
                    self.pod_cpuset_cpus.as_ref(),
                    PROCESSORS,
                )?,
                mems: listed("--pod-cpuset-mems", self.pod_cpuset_mems.as_ref(), NODES)?,
            },
            pids: Pids {
                limit: self.pod_pids_limit,
            },
            block_io: BlockIo {
                weight: self.pod_blkio_weight,
                ..BlockIo::default()
            },
            ..Resources::default()
        })
    }

    /// The limits of a pod that is new.
    ///
    /// # Errors
    /// As [`Self::given`], and if they contradict each other.
    pub(crate) fn resources(&self) -> Result<Resources, Failure> {
        let mut resources = of_new(self.given()?);
        let limited = |limit: &Limit| limit.value().is_some();
        resources.pids.limit = resources.pids.limit.filter(limited);
        resources.check().map_err(contradiction)?;
        Ok(resources)
    }
}

/// Where nothing is said, there is no limit and the kernel's weight; and an app with a limit of memory doesn't swap.
fn of_new(given: Resources) -> Resources {
    let mut new = given;
    let limited = |limit: &Limit| limit.value().is_some();
    new.memory.limit = new.memory.limit.filter(limited);
    new.memory.reservation = new.memory.reservation.filter(limited);
    new.memory.swap = match new.memory.limit {
        Some(limit) => new.memory.swap.or(Some(limit)),
        None => new.memory.swap.filter(limited),
    };
    new.cpu.quota = new.cpu.quota.filter(limited);
    if new.cpu.quota.is_none() {
        new.cpu.period = new.cpu.period.filter(|period| *period != CPU_PERIOD);
    }
    new.cpu.shares = new.cpu.shares.filter(|shares| *shares != USUAL_SHARES);
    new
}

fn cgroup_file(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(file, _)| file.contains('.'));
    let (file, value) = parts.ok_or("it must be a file of a cgroup and a value, FILE=VALUE")?;
    Ok((file.to_owned(), value.to_owned()))
}

fn contradiction(error: Contradiction) -> Failure {
    Failure::Usage(error.to_string())
}

fn quota(millis: Limit) -> Limit {
    let quota = |millis: u64| Limit::At(millis.saturating_mul(CPU_PERIOD / 1000));
    millis.value().map_or(Limit::Unlimited, quota)
}

fn shares(weight: u64) -> u64 {
    match weight {
        0 => USUAL_SHARES,
        weight => weight,
    }
}

fn listed(flag: &str, list: Option<&NumberList>, there: &str) -> Result<String, Failure> {
    let Some(list) = list else {
        return Ok(String::new());
    };
    // A kernel that doesn't say leaves it to the cgroup to refuse.
    let has = std::fs::read_to_string(there).unwrap_or_default();
    if let Ok(all) = number_list(has.trim()) {
        list.require(&all)
            .map_err(|missing| Failure::Usage(format!("{flag}: {missing}")))?;
    }
    Ok(list.to_string())
}

fn found(flag: &str, rates: &[DeviceRate]) -> Result<Vec<ThrottleDevice>, Failure> {
    let device = |rate: &DeviceRate| {
        rate.device()
            .map_err(|why| Failure::Usage(format!("{flag}: {why}")))
    };
    rates.iter().map(device).collect()
}

fn weights(weights: &[DeviceRate]) -> Result<Vec<WeightDevice>, Failure> {
    let devices = found("--blkio-weight-device", weights)?;
    let weight = |device: ThrottleDevice| WeightDevice {
        major: device.major,
        minor: device.minor,
        // It was parsed as one.
        weight: u16::try_from(device.rate).unwrap_or(u16::MAX),
    };
    Ok(devices.into_iter().map(weight).collect())
}
