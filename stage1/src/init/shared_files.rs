//! Files that the host shares with a machine, by virtiofs. Each of them is a filesystem of its own there, which the kernel
//! mounts when somebody enters it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use pod::manifest::MountOption;
use rustix::fs::{Mode, OFlags, RenameFlags, fstat, openat, renameat_with};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};

use crate::failure::StartFailure;
use crate::link::Share;
use crate::mounts::of_opened;
use crate::sys;

/// All of them.
#[derive(Debug)]
pub(super) struct SharedFiles {
    /// The directory that they are in.
    directory: OwnedFd,
    /// The names of those that were entered.
    entered: Vec<String>,
}

impl SharedFiles {
    /// Attaches it to a directory.
    pub(super) fn attach(share: Share, place: &OwnedFd) -> Result<Self, StartFailure> {
        let mount = (|| -> Result<OwnedFd, Errno> {
            let context = fsopen("virtiofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_set_string(context.as_fd(), "source", share.tag())?;
            fsconfig_create(context.as_fd())?;
            let none = MountAttrFlags::empty();
            let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, none)?;
            let whole =
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            move_mount(mount.as_fd(), "", place.as_fd(), "", whole)?;
            Ok(mount)
        })();
        let failed = StartFailure::os("mount the files that the host shares");
        let directory = mount.map_err(failed)?;
        Ok(Self {
            directory,
            entered: Vec::new(),
        })
    }

    /// Forgets what the host has taken away. Else the machine's kernel would know it for as long as it has room, and what it
    /// knows is in use on the host.
    pub(super) fn forget_stale(&mut self) {
        let directory = &self.directory;
        self.entered.retain(|name| {
            // Nothing is renamed: the name is there, or it isn't. It is looked up anew for that, whatever is known of it.
            let flags = RenameFlags::NOREPLACE;
            let renamed = renameat_with(directory, name, directory, name, flags);
            renamed == Err(Errno::EXIST)
        });
    }

    /// A root filesystem that is among them.
    pub(super) fn root(&mut self, name: &str) -> Result<OwnedFd, StartFailure> {
        const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE
            .union(OpenTreeFlags::OPEN_TREE_CLOEXEC)
            .union(OpenTreeFlags::AT_EMPTY_PATH);
        self.copy(name, |source| {
            let root = open_tree(source, c"", CLONE)?;
            // As any app's.
            sys::mount_setattr(root.as_fd(), libc::MOUNT_ATTR_NODEV, false)?;
            Ok(root)
        })
        .map_err(StartFailure::os(
            "mount the root filesystem that the host shares",
        ))
    }

    /// A mount of one of them.
    pub(super) fn mount(
        &mut self,
        name: &str,
        options: &[MountOption],
    ) -> Result<OwnedFd, StartFailure> {
        self.copy(name, |source| of_opened(source, options))
            .map_err(StartFailure::os("mount a volume that the host shares"))
    }

    /// Makes a mount of one of them: the only one, so that nothing of it is known any more when that is gone.
    fn copy(
        &mut self,
        name: &str,
        make: impl FnOnce(&OwnedFd) -> Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Errno> {
        let source = self.enter(name)?;
        if self.entered.iter().all(|known| known != name) {
            self.entered.push(name.to_owned());
        }
        let copy = make(&source)?;
        // A single file is on the filesystem of all.
        if fstat(&source)?.st_dev != fstat(&self.directory)?.st_dev {
            let path = format!("/proc/self/fd/{}", source.as_raw_fd());
            unmount(path, UnmountFlags::DETACH)?;
        }
        Ok(copy)
    }

    /// Opens one. A directory is entered, so that it is mounted.
    fn enter(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match openat(&self.directory, format!("{name}/."), flags, Mode::empty()) {
            Err(Errno::NOTDIR) => openat(&self.directory, name, flags, Mode::empty()),
            opened => opened,
        }
    }
}
