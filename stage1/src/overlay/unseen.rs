//! Work in a mount namespace that nobody sees, for what older kernels do only with mounts that are attached somewhere.

use std::os::fd::OwnedFd;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};

/// Where mounts are attached, one over the other: any directory that is sure to exist. They are found by descriptors.
const PLACE: &str = "/sys";

/// Does it in a thread with a mount namespace of its own, which ends with it. `attached` are attached there meanwhile.
pub(super) fn in_unseen_namespace(
    attached: &[OwnedFd],
    work: impl FnOnce() -> Result<OwnedFd, Errno> + Send,
) -> Result<OwnedFd, Errno> {
    let unseen = || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
            .map_err(|errno| Errno::from_raw_os_error(errno as i32))?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private)?;
        for mount in attached {
            let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(mount, c"", CWD, PLACE, whole)?;
        }
        work()
    };
    thread::scope(|scope| {
        // A thread whose panic was caught has mounted nothing.
        scope.spawn(unseen).join().unwrap_or(Err(Errno::CANCELED))
    })
}
