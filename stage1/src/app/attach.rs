//! Attaching mounts by descriptors, so that no path is looked up again. System calls only: for use between clone and exec.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::app::resolve::{STRICT, open_within};
use crate::sys;

const CLONE_TREE: OpenTreeFlags =
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// Opens what is to be mounted on, below `base`.
pub(crate) fn target(
    base: BorrowedFd<'_>,
    path: &CStr,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    open_within(base, path, OFlags::PATH, Mode::empty(), resolve)
}

/// Attaches a mount to what was opened.
pub(crate) fn attach_to(mount: BorrowedFd<'_>, target: &OwnedFd) -> Result<(), Errno> {
    let by_descriptors =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", target, c"", by_descriptors)
}

/// Attaches a mount to `path` below `base`, which leads through no link.
pub(crate) fn attach(
    mount: BorrowedFd<'_>,
    base: BorrowedFd<'_>,
    path: &CStr,
) -> Result<(), Errno> {
    attach_to(mount, &target(base, path, STRICT)?)
}

/// Attaches a copy of the mount of `source`, which is below `from`.
///
/// The target is looked at first: a copy that isn't attached costs an RCU grace period when it is closed.
pub(crate) fn attach_copy(
    from: BorrowedFd<'_>,
    source: &CStr,
    read_only: bool,
    target: &OwnedFd,
) -> Result<(), Errno> {
    let copy = open_tree(from, source, CLONE_TREE)?;
    if read_only {
        sys::mount_setattr(copy.as_fd(), libc::MOUNT_ATTR_RDONLY, false)?;
    }
    attach_to(copy.as_fd(), target)
}
