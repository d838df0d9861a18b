//! Filesystems of the kernel's own, mounted but attached to nothing.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::failure::StartFailure;

/// The option of a mount that gives all of its files one label of SELinux.
pub(crate) const CONTEXT: &str = "context";

/// Mounts a filesystem of type `kind` without attaching it.
pub(crate) fn mount_detached(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StartFailure> {
    let mounted = (|| -> Result<OwnedFd, Errno> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in options {
            fsconfig_set_string(context.as_fd(), *key, *value)?;
        }
        fsconfig_create(context.as_fd())?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    })();
    mounted.map_err(StartFailure::os(format_args!("mount a new {kind}")))
}
