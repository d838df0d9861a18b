//! The root of pod init: a small filesystem with nothing of the host in it.
//!
//! | path | what |
//! |---|---|
//! | `/rootfs` | where each app attaches its root, in a mount namespace of its own |
//! | `/shm` | shared memory of all apps, seen as `/dev/shm` |
//! | `/empty` | stands for masked folders |
//! | `/etc/…` | hosts, hostname and resolv.conf of the pod |

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, UnmountFlags, move_mount, unmount};
use rustix::process::{chdir, fchdir, pivot_root};

use crate::app::devices::mount_detached;
use crate::failure::StartFailure;
use crate::protocol::Setup;

/// Makes the root and enters it. The host's mounts are gone from this namespace
/// afterwards; the isolator has cut it off from the host's, so that nothing shows there.
pub(super) fn enter(setup: &Setup) -> Result<(), StartFailure> {
    let guarded = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = mount_detached("tmpfs", &[("mode", "755"), ("size", "1m")], guarded)?;
    let shm = mount_detached("tmpfs", &[("mode", "1777"), ("size", "64m")], guarded)?;
    let failed = |errno: Errno| StartFailure::other(format!("cannot make the pod's root: {errno}"));
    for name in ["rootfs", "shm", "empty", "etc"] {
        mkdirat(&root, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
    }
    write_file(&root, "etc/hosts", &setup.hosts)?;
    write_file(&root, "etc/hostname", &format!("{}\n", setup.hostname))?;
    write_file(&root, "etc/resolv.conf", &setup.resolv_conf)?;
    (|| {
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        // Any folder that is sure to exist: it is covered for a moment, and in this namespace only.
        move_mount(root.as_fd(), "", CWD, "/proc", whole)?;
        fchdir(&root)?;
        move_mount(shm.as_fd(), "", CWD, "shm", whole)?;
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        chdir("/")
    })()
    .map_err(failed)
}

fn write_file(root: &OwnedFd, path: &str, text: &str) -> Result<(), StartFailure> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let what = format!("write the pod's /{path}");
    let file =
        openat(root, path, flags, Mode::from_raw_mode(0o644)).map_err(StartFailure::os(&what))?;
    File::from(file)
        .write_all(text.as_bytes())
        .map_err(StartFailure::os(&what))
}
