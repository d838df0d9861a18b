//! The kernel filesystems of the host, as an app sees them: what the host mounts there later it sees, too; what it mounts
//! there itself the host does not.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use stage1::failure::StartFailure;
use stage1::sys::{self, MountChange};

/// A copy of what is mounted at a path of the host and below it, attached to nothing.
///
/// # Errors
/// What failed, on which path.
pub(crate) fn copy_of(path: &str) -> Result<OwnedFd, StartFailure> {
    copy(path).map_err(StartFailure::os(format_args!("mount {path} of the host")))
}

fn copy(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, path, flags)?;
    let change = MountChange {
        set: 0,
        clear: 0,
        propagation: libc::MS_SLAVE,
    };
    sys::change_mount(tree.as_fd(), &change, true)?;
    Ok(tree)
}
