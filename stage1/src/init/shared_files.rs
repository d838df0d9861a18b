//! Files that the host shares with a machine, by virtiofs. Each of them is a filesystem of its own there, which the kernel
//! mounts when somebody enters it.

use std::os::fd::{AsFd, OwnedFd};

use pod::manifest::MountOption;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::failure::StartFailure;
use crate::link::SHARED_FILES;
use crate::mounts::of_opened;

/// The directory with all of them.
#[derive(Debug)]
pub(super) struct SharedFiles(OwnedFd);

impl SharedFiles {
    /// Attaches it to a directory.
    pub(super) fn attach(place: &OwnedFd) -> Result<Self, StartFailure> {
        let mount = (|| -> Result<OwnedFd, Errno> {
            let context = fsopen("virtiofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_set_string(context.as_fd(), "source", SHARED_FILES)?;
            fsconfig_create(context.as_fd())?;
            let none = MountAttrFlags::empty();
            let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, none)?;
            let whole =
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            move_mount(mount.as_fd(), "", place.as_fd(), "", whole)?;
            Ok(mount)
        })();
        let failed = StartFailure::os("mount the files that the host shares");
        mount.map(Self).map_err(failed)
    }

    /// A root filesystem that is among them.
    pub(super) fn root(&self, name: &str) -> Result<OwnedFd, StartFailure> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        self.enter(name)
            .and_then(|root| open_tree(root, c"", flags))
            .map_err(StartFailure::os(
                "mount the root filesystem that the host shares",
            ))
    }

    /// A mount of one of them.
    pub(super) fn mount(
        &self,
        name: &str,
        options: &[MountOption],
    ) -> Result<OwnedFd, StartFailure> {
        self.enter(name)
            .and_then(|source| of_opened(source, options))
            .map_err(StartFailure::os("mount a volume that the host shares"))
    }

    /// Opens one. A directory is entered, so that it is mounted.
    fn enter(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match openat(&self.0, format!("{name}/."), flags, Mode::empty()) {
            Err(Errno::NOTDIR) => openat(&self.0, name, flags, Mode::empty()),
            opened => opened,
        }
    }
}
