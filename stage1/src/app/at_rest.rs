//! The files of an app of which no process runs, as its processes saw them: for one process of fairing's own.

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use pod::manifest::AppPath;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use crate::app::volume_mount::{Place, VolumeMount};
use crate::failure::StartFailure;
use crate::sys;

/// Where the root is attached for a moment: any directory that is sure to exist.
const PLACE: &str = "/sys";
/// No device is opened there, and nothing executed.
const HARMLESS: u64 = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// A mount of an app, and where it goes.
pub type PlacedMount = (AppPath, OwnedFd);

/// Makes a root filesystem, with what is mounted in it, all that this process sees: nothing of the host can be named from
/// there. The mount namespace is this process's own, and ends with it. There are no kernel filesystems in it, whose links
/// lead out. The result tells of mounts that have no place there.
///
/// # Errors
/// What failed.
pub fn enter(root: OwnedFd, mounts: Vec<PlacedMount>) -> Result<Vec<StartFailure>, StartFailure> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(StartFailure::os("make a mount namespace to copy in"))?;
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(StartFailure::os("keep mounts from the host"))?;
    attach_root(&root).map_err(StartFailure::os("attach the app's root filesystem"))?;
    let attached = mounts.into_iter().map(|mount| attach(&root, mount));
    let left_out = attached.filter_map(Result::err).collect();
    change_root(&root).map_err(StartFailure::os("enter the app's root filesystem"))?;
    Ok(left_out)
}

fn attach(root: &OwnedFd, (path, mount): PlacedMount) -> Result<(), StartFailure> {
    let place = Place::of(&path)?;
    sys::mount_setattr(mount.as_fd(), HARMLESS, true)
        .and_then(|()| VolumeMount { mount, place }.attach(root.as_fd()))
        .map_err(StartFailure::os(format_args!("mount on {path}")))
}

fn attach_root(root: &OwnedFd) -> Result<(), Errno> {
    sys::mount_setattr(root.as_fd(), HARMLESS, false)?;
    move_mount(
        root,
        c"",
        CWD,
        PLACE,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
}

fn change_root(root: &OwnedFd) -> Result<(), Errno> {
    fchdir(root)?;
    pivot_root(c".", c".")?;
    unmount(c".", UnmountFlags::DETACH)?;
    chdir(c"/")
}
