//! What a mount is a copy of.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::app::resolve::open_within;

/// A path within a volume leads nowhere else, whoever changes it meanwhile.
const WITHIN_VOLUME: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// What is at a path within an open directory.
pub(super) fn within(directory: OwnedFd, path: Option<&str>) -> Result<OwnedFd, Errno> {
    match path {
        None => Ok(directory),
        Some(path) => open_within(&directory, path, OFlags::PATH, Mode::empty(), WITHIN_VOLUME),
    }
}

/// A mount of it that is attached to nothing.
pub(super) fn copy_of(source: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    open_tree(source, c"", flags)
}
