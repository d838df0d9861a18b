//! What an app sees at `/sys/fs/cgroup`: its own cgroups, which are the roots of its cgroup namespace. For reading, but in an
//! app that manages services, whose cgroup was made for that, and in one that is privileged.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, mkdirat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use crate::app::attach::attach;
use crate::sys;

/// The place, below `/sys`.
const PLACE: &std::ffi::CStr = c"fs/cgroup";

/// Data for [`CgroupView::show`], made before clone.
#[derive(Debug)]
pub(crate) enum CgroupView {
    /// The host has no cgroups, or shows them there by itself.
    Nothing,
    /// The hierarchies of version 1, each in a directory of its own.
    V1 {
        /// They.
        hierarchies: Vec<HierarchyView>,
        /// Whether cgroups can be made in them.
        writable: bool,
    },
    /// The one of version 2.
    V2 {
        /// Whether cgroups can be made in it.
        writable: bool,
    },
}

/// One hierarchy of version 1.
#[derive(Debug)]
pub(crate) struct HierarchyView {
    /// Its directory: the controllers with commas between.
    directory: CString,
    /// Its controllers. Each that isn't alone has a link of its name to the directory.
    controllers: Vec<CString>,
}

impl HierarchyView {
    /// That with these controllers. `None` if they are no names.
    pub(crate) fn of(controllers: &str) -> Option<Self> {
        let name = |text: &str| CString::new(text).ok().filter(|_| !text.contains('/'));
        Some(Self {
            directory: name(controllers)?,
            controllers: controllers.split(',').map(name).collect::<Option<_>>()?,
        })
    }

    /// A mount of it. Its root is the cgroup that the calling process was in when it made its cgroup namespace.
    fn mount(&self, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
        let context = fsopen(c"cgroup", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for controller in &self.controllers {
            fsconfig_set_flag(context.as_fd(), controller)?;
        }
        fsconfig_create(context.as_fd())?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    }

    fn show(&self, directory: BorrowedFd<'_>, attributes: MountAttrFlags) -> Result<(), Errno> {
        let mount = match self.mount(attributes) {
            // It was taken apart, or this kernel gives it to nobody in a namespace. An app can do without.
            Err(Errno::BUSY | Errno::INVAL | Errno::PERM | Errno::NOENT) => return Ok(()),
            mount => mount?,
        };
        mkdirat(directory, &self.directory, Mode::from_raw_mode(0o755))?;
        attach(mount.as_fd(), directory, &self.directory)?;
        if self.controllers.len() > 1 {
            for controller in &self.controllers {
                symlinkat(&self.directory, directory, controller)?;
            }
        }
        Ok(())
    }
}

fn guarded() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn attributes(writable: bool) -> MountAttrFlags {
    match writable {
        true => guarded(),
        false => guarded() | MountAttrFlags::MOUNT_ATTR_RDONLY,
    }
}

impl CgroupView {
    /// Attaches it below `sys`, which is attached already. System calls only.
    pub(crate) fn show(&self, sys: BorrowedFd<'_>) -> Result<(), Errno> {
        match self {
            Self::Nothing => Ok(()),
            Self::V1 {
                hierarchies,
                writable,
            } => {
                let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
                fsconfig_set_string(context.as_fd(), c"mode", c"755")?;
                fsconfig_create(context.as_fd())?;
                let flags = FsMountFlags::FSMOUNT_CLOEXEC;
                let directory = fsmount(context.as_fd(), flags, guarded())?;
                attach(directory.as_fd(), sys, PLACE)?;
                for hierarchy in hierarchies {
                    hierarchy.show(directory.as_fd(), attributes(*writable))?;
                }
                match writable {
                    true => Ok(()),
                    false => sys::mount_setattr(directory.as_fd(), libc::MOUNT_ATTR_RDONLY, false),
                }
            }
            Self::V2 { writable } => {
                let context = fsopen(c"cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
                fsconfig_create(context.as_fd())?;
                let flags = FsMountFlags::FSMOUNT_CLOEXEC;
                let mount = fsmount(context.as_fd(), flags, attributes(*writable))?;
                attach(mount.as_fd(), sys, PLACE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_that_share_a_hierarchy_have_links_to_it() {
        let both = HierarchyView::of("cpu,cpuacct").unwrap();
        assert_eq!(both.directory.as_c_str(), c"cpu,cpuacct");
        assert_eq!(both.controllers, [c"cpu", c"cpuacct"].map(CString::from));
        assert!(HierarchyView::of("../x").is_none());
    }
}
