//! Opening paths that may hold anything, within bounds.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::path::Arg;

/// Resolution as the app sees it: symbolic links stay inside of its root.
pub(crate) const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
/// The same within one filesystem: nothing that is mounted on it is entered.
pub(crate) const IN_OWN_ROOT: ResolveFlags = IN_ROOT.union(ResolveFlags::NO_XDEV);
/// Resolution that follows nothing.
pub(crate) const STRICT: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Tries before giving up. Each fails only if somebody mounted or renamed something just then.
const TRIES: usize = 4096;

/// As openat2(2). Where a path holds `..`, the kernel answers EAGAIN if a mount or a rename anywhere on the
/// host came in between, since it can't tell whether the path still ends below the root: then it is tried again.
///
/// Makes system calls only: for use between clone and exec too.
pub(crate) fn open_within<Fd: AsFd, P: Arg + Copy>(
    root: Fd,
    path: P,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    for _ in 1..TRIES {
        match openat2(root.as_fd(), path, flags | OFlags::CLOEXEC, mode, resolve) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    openat2(root.as_fd(), path, flags | OFlags::CLOEXEC, mode, resolve)
}
