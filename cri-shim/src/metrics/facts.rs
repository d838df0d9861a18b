//! What metrics are made of: all that is known of one sandbox or container at one moment.

use pod::control::{BlockIoStats, CpuStats, InterfaceUse, MemoryStats, PidsStats, Pressure};
use pod::disk_usage::DiskUse;

use super::open_files::Open;
use crate::disk::Capacity;

/// Whom metrics are about: the values of [`LABELS`](super::families::LABELS).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// The container's name; empty for a sandbox.
    pub(super) container: String,
    /// Its id.
    pub(super) id: String,
    /// The container's image.
    pub(super) image: String,
    /// What the app or the pod is called.
    pub(super) name: String,
    /// The namespace of Kubernetes.
    pub(super) namespace: String,
    /// The pod of Kubernetes.
    pub(super) pod: String,
}

/// What is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Whether it is of a container, and not of a sandbox.
    pub(super) is_of_container: bool,
    /// When it was counted, in nanoseconds since 1970.
    pub(super) at: i64,
    /// Processor time.
    pub(super) cpu: CpuStats,
    /// Memory.
    pub(super) memory: MemoryStats,
    /// Processes.
    pub(super) pids: PidsStats,
    /// Disks.
    pub(super) block_io: BlockIoStats,
    /// How long its processes waited.
    pub(super) pressure: Pressure,
    /// What it has written of its image.
    pub(super) written: Option<DiskUse>,
    /// The file system that this is on.
    pub(super) file_system: Option<Capacity>,
    /// What its processes have open.
    pub(super) open: Open,
    /// The interfaces of its network; none of a container.
    pub(super) interfaces: Vec<InterfaceUse>,
    /// When it was started, in nanoseconds since 1970.
    pub(super) started: Option<i64>,
    /// What it may have of processors, now: shares, quota and period.
    pub(super) cpu_shares: Option<u64>,
    /// Microseconds of each period.
    pub(super) cpu_quota: Option<u64>,
    /// Microseconds.
    pub(super) cpu_period: Option<u64>,
}
