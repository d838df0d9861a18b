//! Disks, and the file system that is written to. All disks are counted together: the labels by which cAdvisor tells them
//! apart are there, and empty.

use crate::metrics::family::{Family, counted, counter, each, gauge};

/// The label of a disk.
const DEVICE: &[(&str, &str)] = &[("device", "")];
/// Those of a disk where it is told by its numbers too.
const NUMBERED: &[(&str, &str)] = &[("device", ""), ("major", ""), ("minor", "")];

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    each(
        "container_blkio_device_usage_total",
        "Bytes that went through disks",
        "operation",
        |facts| {
            counted([
                ("Read", facts.block_io.read),
                ("Write", facts.block_io.written),
            ])
        },
    )
    .with(NUMBERED),
    counter(
        "container_fs_reads_bytes_total",
        "Bytes read from disks",
        |facts| facts.block_io.read,
    )
    .with(DEVICE),
    counter(
        "container_fs_writes_bytes_total",
        "Bytes written to disks",
        |facts| facts.block_io.written,
    )
    .with(DEVICE),
    counter("container_fs_reads_total", "Reads from disks", |facts| {
        facts.block_io.reads
    })
    .with(DEVICE),
    counter("container_fs_writes_total", "Writes to disks", |facts| {
        facts.block_io.writes
    })
    .with(DEVICE),
    gauge(
        "container_fs_usage_bytes",
        "Bytes of what was changed of the image; 0 until that has been measured",
        |facts| Some(facts.written?.bytes),
    )
    .with(DEVICE)
    .always(),
    gauge(
        "container_fs_limit_bytes",
        "Bytes that the file system of its changes holds",
        |facts| Some(facts.file_system?.bytes),
    )
    .with(DEVICE)
    .always(),
    gauge(
        "container_fs_inodes_total",
        "Files that the file system of its changes holds",
        |facts| Some(facts.file_system?.inodes),
    )
    .with(DEVICE)
    .always(),
    gauge(
        "container_fs_inodes_free",
        "Files that the file system of its changes still takes",
        |facts| Some(facts.file_system?.inodes_free),
    )
    .with(DEVICE)
    .always(),
];
