//! Whether this machine labels files and processes (SELinux). Apps get no label of their own yet.

use rustix::fs::statfs;

/// Where the kernel's part of it is mounted, and what says so.
const MOUNT_POINT: &str = "/sys/fs/selinux";
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;

/// Whether SELinux is enabled here.
pub fn is_enabled() -> bool {
    statfs(MOUNT_POINT).is_ok_and(|found| found.f_type == SELINUX_MAGIC)
}
