//! The filesystem of images and pods.

use std::path::{Path, PathBuf};

use pod::named_volumes::has_project_quotas;
use rustix::fs::{statfs, statvfs};

/// What it is and how much room it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The directory, or the nearest above it that is there.
    pub path: PathBuf,
    /// The kind of filesystem, if it is one of those that are known.
    pub filesystem: Option<&'static str>,
    /// Bytes that can be written; `None` if that can't be told.
    pub free: Option<u64>,
    /// Files that can be made; `None` if that can't be told, or there is no such bound.
    pub free_files: Option<u64>,
    /// It holds directories to limits of their size.
    pub has_quotas: bool,
}

const KINDS: [(i64, &str); 12] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0xf2f5_2010, "f2fs"),
    (0x0102_1994, "tmpfs"),
    (0x2fc1_2fc1, "zfs"),
    (0x794c_7630, "overlay"),
    (0x6969, "nfs"),
    (0x6573_5546, "fuse"),
    (0x4d44, "vfat"),
    (0xf15f, "ecryptfs"),
    (0xff53_4d42, "cifs"),
];

impl Store {
    pub(super) fn read(data: &Path) -> Self {
        let path = data.ancestors().find(|path| path.exists());
        let path = path.unwrap_or(Path::new("/")).to_path_buf();
        let kind = statfs(&path).ok().map(|found| found.f_type);
        let known = |kind| KINDS.iter().find(|(magic, _)| *magic == kind);
        let room = statvfs(&path).ok();
        Self {
            filesystem: kind.and_then(known).map(|(_, name)| *name),
            free: room
                .as_ref()
                .map(|room| room.f_bavail.saturating_mul(room.f_frsize)),
            free_files: room
                .filter(|room| room.f_files > 0)
                .map(|room| room.f_favail),
            has_quotas: has_project_quotas(&path),
            path,
        }
    }
}
