//! Work below a folder that a hostile archive fills: every path is resolved by the kernel below
//! the root's descriptor, through no symbolic link, and everything else happens by single names
//! within a folder that is open.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, XattrFlags, mkdirat, openat, openat2,
    statat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::member::MemberPath;

/// Folders kept open; members of one folder mostly come together.
const CACHED: usize = 64;

/// The attribute by which overlayfs knows a folder that hides those below.
const OPAQUE: &str = "trusted.overlay.opaque";

/// The root of a layer that is being unpacked.
pub(super) struct Tree {
    root: OwnedFd,
    open: HashMap<Vec<u8>, Arc<OwnedFd>>,
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root,
            open: HashMap::new(),
        }
    }

    /// Opens an existing folder below the root, through no symbolic link. The empty path is the
    /// root itself.
    pub(super) fn folder(&self, path: &[u8]) -> Result<OwnedFd> {
        openat2(
            &self.root,
            if path.is_empty() { b"." } else { path },
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::BENEATH
                | ResolveFlags::NO_SYMLINKS
                | ResolveFlags::NO_MAGICLINKS
                | ResolveFlags::NO_XDEV,
        )
    }

    /// Opens the folder that `path` is in and makes what is missing on the way.
    pub(super) fn parent_of(&mut self, path: &MemberPath) -> Result<Arc<OwnedFd>> {
        let parent = path.parent();
        if let Some(open) = self.open.get(parent) {
            return Ok(Arc::clone(open));
        }
        let folder = match self.folder(parent) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => self.make_way(parent)?,
            Err(error) => return Err(error),
        };
        if self.open.len() >= CACHED {
            self.open.clear();
        }
        let folder = Arc::new(folder);
        self.open.insert(parent.to_vec(), Arc::clone(&folder));
        Ok(folder)
    }

    /// Makes the folders on the way to `path`; a whiteout in the way becomes a folder that hides
    /// the one below.
    fn make_way(&self, path: &[u8]) -> Result<OwnedFd> {
        let mut here = self.folder(b"")?;
        for name in path.split(|byte| *byte == b'/') {
            let next = match open_folder(here.as_fd(), name) {
                Err(Errno::NOENT) => make_folder(here.as_fd(), name, false)?,
                Err(Errno::NOTDIR) if is_whiteout(here.as_fd(), name)? => {
                    unlinkat(&here, name, AtFlags::empty())?;
                    make_folder(here.as_fd(), name, true)?
                }
                other => other?,
            };
            here = next;
        }
        Ok(here)
    }

    /// Removes whatever has this name. Open folders may be among it, so they are forgotten.
    pub(super) fn remove(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        match unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                self.open.clear();
                remove_folder(parent, name)
            }
            other => other,
        }
    }
}

fn make_folder(parent: BorrowedFd<'_>, name: &[u8], opaque: bool) -> Result<OwnedFd> {
    mkdirat(parent, name, Mode::RWXU)?;
    let folder = open_folder(parent, name)?;
    rustix::fs::fchmod(&folder, Mode::from_raw_mode(0o755))?;
    if opaque {
        set_opaque(folder.as_fd())?;
    }
    Ok(folder)
}

/// Opens a folder by its single name.
pub(super) fn open_folder(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
    // What the kernel says of a symbolic link depends on the flags.
    .map_err(|error| {
        if error == Errno::LOOP {
            Errno::NOTDIR
        } else {
            error
        }
    })
}

/// The type of what has this name, `None` if there is nothing.
pub(super) fn kind_of(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<FileType>> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a whiteout in overlayfs' form has this name; unpacking makes no other devices.
pub(super) fn is_whiteout(parent: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    Ok(kind_of(parent, name)? == Some(FileType::CharacterDevice))
}

/// Marks a folder as one that hides those of the layers below.
pub(super) fn set_opaque(folder: BorrowedFd<'_>) -> Result<()> {
    rustix::fs::fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())
}

/// Removes a folder and all below it. Bounded by the depth that paths may have.
fn remove_folder(parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let folder = open_folder(parent, name)?;
    let mut names: Vec<CString> = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    for name in names {
        match unlinkat(&folder, &name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove_folder(folder.as_fd(), name.as_bytes())?,
            other => other?,
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}
