//! Credentials become those of the app's user.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, Gid, Mode, OFlags, Uid, chownat, fchown, openat};
use rustix::io::Errno;

use crate::sys;

/// Gives a filesystem of credentials, which is attached to nothing yet, to a user, and lets nobody write to it any more.
///
/// # Errors
/// What the kernel answers.
pub(super) fn give(mount: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(mount, ".", flags, Mode::empty())?;
    for entry in Dir::read_from(&root)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            chownat(&root, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    fchown(&root, uid, gid)?;
    let guarded = libc::MOUNT_ATTR_RDONLY
        | libc::MOUNT_ATTR_NOSUID
        | libc::MOUNT_ATTR_NODEV
        | libc::MOUNT_ATTR_NOEXEC;
    sys::mount_setattr(mount, guarded, false)
}
