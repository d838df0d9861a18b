//! Work below a directory that a hostile archive fills: every path is resolved by the kernel below
//! the root's descriptor, through no symbolic link, and everything else happens by single names
//! within a directory that is open.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags, fstat, futimens, mkdirat,
    openat, openat2, readlinkat, statat, unlinkat,
};
use rustix::io::{Errno, Result};

use super::member::{MemberPath, Time};

/// Directories kept open; members of one directory mostly come together.
const CACHED: usize = 64;

/// Symbolic links on the way to one member, as many as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Names that are looked at behind links, for all members of a layer together: a second or two each
/// million. What people pack stays far below.
const MAX_STEPS: u32 = 20_000_000;

/// Bytes of the longest path that the kernel takes.
const LONGEST: usize = 4095;

/// How a directory is opened by its single name.
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// No way leads out of the root, through a link, or to something that is mounted in it.
pub(super) const BELOW: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The attribute by which overlayfs knows a directory that hides those below.
const OPAQUE: &str = "trusted.overlay.opaque";

/// The root of a layer that is being unpacked.
///
/// Filling a directory changes its time. So the time of each directory that is opened to be filled is
/// kept with it and set when it is closed: memory does not grow with the number of directories.
pub(super) struct Tree {
    root: OwnedFd,
    open: HashMap<Vec<u8>, Open>,
    /// Names that may still be looked at behind links.
    steps: u32,
}

struct Open {
    folder: Arc<OwnedFd>,
    mtime: Time,
}

impl Tree {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root,
            open: HashMap::new(),
            steps: MAX_STEPS,
        }
    }

    /// Opens an existing directory below the root, through no symbolic link. The empty path is the
    /// root itself.
    pub(super) fn folder(&self, path: &[u8]) -> Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        // A link at its end is told as one on the way.
        let flags = FOLDER.difference(OFlags::NOFOLLOW);
        openat2(&self.root, path, flags, Mode::empty(), BELOW)
    }

    /// Where the directory `path` really is, if the way there goes through symbolic links of the layer.
    /// A link to `/x` leads to the root of the layer, and nothing leads out of it; what isn't there
    /// stays as it is written. `None` if there is no link.
    ///
    /// # Errors
    /// `LOOP` after too many links.
    pub(super) fn behind_links(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.open.contains_key(path) {
            return Ok(None);
        }
        match self.folder(path) {
            Err(Errno::LOOP) => self.resolve(path).map(Some),
            Ok(folder) => {
                let mtime = Time::of(&fstat(&folder)?);
                self.keep(path, Arc::new(folder), mtime)?;
                Ok(None)
            }
            // What else is wrong shows when the directory is opened to be used.
            Err(_) => Ok(None),
        }
    }

    fn resolve(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        let mut links = 0;
        let mut real: Vec<u8> = Vec::new();
        let mut left: Vec<Vec<u8>> = reversed(path);
        while let Some(name) = left.pop() {
            self.steps = self.steps.checked_sub(1).ok_or(Errno::LOOP)?;
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let end = real.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    real.truncate(end);
                    continue;
                }
                _ => {}
            }
            let target = self
                .folder(&real)
                .and_then(|folder| readlinkat(folder, name.as_slice(), Vec::new()));
            match target {
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let target = target.as_bytes();
                    if target.starts_with(b"/") {
                        real.clear();
                    }
                    left.extend(reversed(target));
                }
                Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => {
                    if !real.is_empty() {
                        real.push(b'/');
                    }
                    real.extend_from_slice(&name);
                    if real.len() > LONGEST {
                        return Err(Errno::NAMETOOLONG);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(real)
    }

    /// Opens the directory that `path` is in, to fill it, and makes what is missing on the way.
    pub(super) fn parent_of(&mut self, path: &MemberPath) -> Result<Arc<OwnedFd>> {
        self.filled(path.parent())
    }

    fn filled(&mut self, path: &[u8]) -> Result<Arc<OwnedFd>> {
        if let Some(open) = self.open.get(path) {
            return Ok(Arc::clone(&open.folder));
        }
        let folder = match self.folder(path) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => self.make(path)?,
            Err(error) => return Err(error),
        };
        let mtime = Time::of(&fstat(&folder)?);
        let folder = Arc::new(folder);
        self.keep(path, Arc::clone(&folder), mtime)?;
        Ok(folder)
    }

    /// Makes a directory that no member has told of, and those on the way to it; a whiteout in the way
    /// becomes a directory that hides the one below. As deep as paths may be.
    fn make(&mut self, path: &[u8]) -> Result<OwnedFd> {
        let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (
                path.get(..slash).unwrap_or_default(),
                path.get(slash + 1..).unwrap_or_default(),
            ),
            None => (&b""[..], path),
        };
        let parent = self.filled(above)?;
        match open_folder(parent.as_fd(), name) {
            Err(Errno::NOENT) => make_folder(parent.as_fd(), name, false),
            Err(Errno::NOTDIR) if is_whiteout(parent.as_fd(), name)? => {
                unlinkat(&parent, name, AtFlags::empty())?;
                make_folder(parent.as_fd(), name, true)
            }
            other => other,
        }
    }

    /// Keeps a directory open; it gets this time when it is closed.
    pub(super) fn keep(&mut self, path: &[u8], folder: Arc<OwnedFd>, mtime: Time) -> Result<()> {
        if self.open.len() >= CACHED {
            self.close()?;
        }
        self.open.insert(path.to_vec(), Open { folder, mtime });
        Ok(())
    }

    /// Closes all directories and sets their times.
    pub(super) fn close(&mut self) -> Result<()> {
        for (_, open) in self.open.drain() {
            futimens(&open.folder, &open.mtime.timestamps())?;
        }
        Ok(())
    }

    /// Removes whatever is at `path`, whose parent is open.
    pub(super) fn remove(&mut self, parent: BorrowedFd<'_>, path: &MemberPath) -> Result<()> {
        match unlinkat(parent, path.name(), AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                self.open
                    .retain(|open, _| !is_at_or_below(open, path.as_bytes()));
                remove_folder(parent, path.name())
            }
            other => other,
        }
    }
}

/// The components of a path, the first one last.
fn reversed(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .rev()
        .map(<[u8]>::to_vec)
        .collect()
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
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

/// Opens a directory by its single name.
pub(super) fn open_folder(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    openat(parent, name, FOLDER, Mode::empty())
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

/// Whether a whiteout in overlayfs' form has this name.
fn is_whiteout(parent: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(is_whiteout_stat(&stat))
}

/// Whether this is a whiteout in overlayfs' form.
pub(super) fn is_whiteout_stat(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Marks a directory as one that hides those of the layers below.
pub(super) fn set_opaque(folder: BorrowedFd<'_>) -> Result<()> {
    rustix::fs::fsetxattr(folder, OPAQUE, b"y", XattrFlags::empty())
}

/// Removes a directory and all below it. Bounded by the depth that paths may have.
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
