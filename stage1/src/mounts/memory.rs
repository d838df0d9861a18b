//! Filesystems in memory.

use std::os::fd::{AsFd, OwnedFd};

use pod::named_volumes::Ownership;
use pod::selinux::Context;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::app::detached::CONTEXT;

/// Permission bits of the root of one that nobody gave others, as those of `/tmp`.
const MODE: u32 = 0o1777;
/// Files and directories of one: as many as fit into 64 MiB of the kernel's memory, which no limit of its size counts.
const FILES_MAX: &str = "65536";

/// A filesystem in memory that is attached to nothing, of `size` bytes at most. All files have this label, if one is given.
pub(super) fn detached(
    size: Option<u64>,
    root: Ownership,
    label: Option<&Context>,
) -> Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    fsconfig_set_string(context, "mode", format!("{:o}", root.mode.unwrap_or(MODE)))?;
    fsconfig_set_string(context, "nr_inodes", FILES_MAX)?;
    for (key, id) in [("uid", root.uid), ("gid", root.gid)] {
        if let Some(id) = id {
            fsconfig_set_string(context, key, id.to_string())?;
        }
    }
    if let Some(size) = size {
        fsconfig_set_string(context, "size", size.to_string())?;
    }
    if let Some(label) = label {
        fsconfig_set_string(context, CONTEXT, label.to_string())?;
    }
    fsconfig_create(context)?;
    fsmount(
        context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}
