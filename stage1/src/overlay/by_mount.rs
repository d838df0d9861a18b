//! The overlay by mount(2), for kernels that take all layers in one option.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, open_tree,
    unmount,
};
use rustix::process::fchdir;

use super::{Directories, HARDENING};

/// Where it is attached for a moment: any directory that is sure to exist.
const PLACE: &str = "/proc";

/// Such a kernel also wants a mount to be attached once. So that nobody sees it, it is attached in the mount
/// namespace of a thread that ends at once.
pub(super) fn overlay(directories: &Directories) -> Result<OwnedFd, Errno> {
    let unseen = || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
            .map_err(|errno| Errno::from_raw_os_error(errno as i32))?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private)?;
        attach_and_clone(directories)
    };
    thread::scope(|scope| {
        // A thread whose panic was caught has mounted nothing.
        scope.spawn(unseen).join().unwrap_or(Err(Errno::CANCELED))
    })
}

fn attach_and_clone(directories: &Directories) -> Result<OwnedFd, Errno> {
    // mount(2) takes one page of options, which the digests of some fifty layers fill. The numbers of
    // open descriptors, seen from their directory, are short enough for the 500 layers that overlayfs
    // takes.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &String| openat(CWD, path.as_str(), flags, Mode::empty());
    let layers: Vec<OwnedFd> = directories
        .lower
        .iter()
        .map(open)
        .collect::<Result<_, _>>()?;
    let numbers: Vec<String> = layers.iter().map(|l| l.as_raw_fd().to_string()).collect();
    let mut data = format!(
        "lowerdir={},upperdir={},workdir={}",
        numbers.join(":"),
        directories.upper,
        directories.work,
    );
    for (key, value) in HARDENING {
        data.push_str(&format!(",{key}={value}"));
    }
    if directories.discard_changes {
        data.push_str(",volatile");
    }
    let data = CString::new(data).map_err(|_| Errno::INVAL)?;
    let descriptors = openat(CWD, "/proc/self/fd", flags, Mode::empty())?;
    fchdir(&descriptors)?;
    mount(
        "overlay",
        PLACE,
        "overlay",
        MountFlags::NODEV,
        data.as_c_str(),
    )?;
    let tree = open_tree(
        CWD,
        PLACE,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    );
    unmount(PLACE, UnmountFlags::DETACH)?;
    tree
}
