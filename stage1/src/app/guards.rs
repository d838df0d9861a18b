//! Guarding paths of an app that show or change the host. System calls only: for use between clone and exec.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, FileType, fstat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::app::attach::{attach_copy, attach_to, target};
use crate::app::confinement::{MASKED_FILES, MASKED_FOLDERS, READ_ONLY, Tree};
use crate::app::resolve::{IN_ROOT, STRICT};
use crate::sys;

/// For paths that not every kernel has.
fn if_present(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        other => other,
    }
}

/// Masks what usually is.
pub(crate) fn mask_usual(
    proc: BorrowedFd<'_>,
    sys: BorrowedFd<'_>,
    dev: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let tree = |tree: Tree| match tree {
        Tree::Proc => proc,
        Tree::Sys => sys,
    };
    for (base, path) in MASKED_FILES {
        let masked = target(tree(*base), path, STRICT)
            .and_then(|file| attach_copy(dev, c"null", false, &file));
        if_present(masked)?;
    }
    for (base, path) in MASKED_FOLDERS {
        let masked = target(tree(*base), path, STRICT)
            .and_then(|folder| attach_copy(CWD, c"/empty", true, &folder));
        if_present(masked)?;
    }
    Ok(())
}

/// Makes read-only what usually is.
pub(crate) fn protect_usual(proc: BorrowedFd<'_>) -> Result<(), Errno> {
    for path in READ_ONLY {
        let guarded =
            target(proc, path, STRICT).and_then(|guarded| attach_copy(proc, path, true, &guarded));
        if_present(guarded)?;
    }
    Ok(())
}

/// Masks these paths of the app's. What is not there needs no mask.
pub(crate) fn mask(
    root: BorrowedFd<'_>,
    dev: BorrowedFd<'_>,
    paths: &[CString],
) -> Result<(), Errno> {
    for path in paths {
        let masked = target(root, path, IN_ROOT).and_then(|place| {
            match FileType::from_raw_mode(fstat(&place)?.st_mode) {
                FileType::Directory => attach_copy(CWD, c"/empty", true, &place),
                _ => attach_copy(dev, c"null", false, &place),
            }
        });
        if_present(masked)?;
    }
    Ok(())
}

/// Makes these paths of the app's read-only, with what is mounted below them.
pub(crate) fn protect(root: BorrowedFd<'_>, paths: &[CString]) -> Result<(), Errno> {
    for path in paths {
        let guarded = target(root, path, IN_ROOT).and_then(|place| {
            let copy = copy(&place)?;
            sys::mount_setattr(copy.as_fd(), libc::MOUNT_ATTR_RDONLY, true)?;
            attach_to(copy.as_fd(), &place)
        });
        if_present(guarded)?;
    }
    Ok(())
}

/// A copy of what is mounted at a place and below it.
fn copy(place: &OwnedFd) -> Result<OwnedFd, Errno> {
    let whole: &CStr = c"";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(place, whole, flags)
}
