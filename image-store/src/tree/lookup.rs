//! What one path leads to in the trees that overlayfs would show together.

use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::merged::{FOLDER, io, is_opaque, is_whiteout, root, unfit};
use crate::error::StoreError;

/// Most symbolic links on the way, as for the kernel.
const LINKS_MAX: usize = 40;

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// A regular file.
    File {
        /// It, open for reading.
        file: File,
        /// Its mode.
        mode: u32,
    },
    /// A directory.
    Directory,
    /// Something else.
    Other,
    /// The path leads below a name of the root directory that the trees don't decide about.
    Elsewhere,
}

/// What is in one directory under one name.
enum Entry {
    Directory(Vec<OwnedFd>),
    Link(Vec<u8>),
    Leaf(Found),
}

/// Where a path ends.
enum End {
    /// In a directory, of which these are the parts, topmost first.
    Directory(Vec<OwnedFd>),
    /// At something else.
    Leaf(Found),
    /// Nowhere.
    Nothing,
}

/// Follows a path, from the root of these trees, topmost first, and never out of it. Names of the root directory in
/// `elsewhere` are not looked at. `None` if there is nothing.
///
/// # Errors
/// If something on the way can't be read.
pub fn look_up(
    trees: &[PathBuf],
    path: &str,
    elsewhere: &[&str],
) -> Result<Option<Found>, StoreError> {
    Ok(match follow(trees, path.as_bytes(), elsewhere)?.end {
        End::Directory(_) => Some(Found::Directory),
        End::Leaf(found) => Some(found),
        End::Nothing => None,
    })
}

/// The directory that a path leads to, as its parts, topmost first. `None` if it leads to something else, or below a name
/// in `elsewhere`.
pub(super) fn directory(
    trees: &[PathBuf],
    path: &str,
    elsewhere: &[&str],
) -> Result<Option<Vec<OwnedFd>>, StoreError> {
    Ok(match follow(trees, path.as_bytes(), elsewhere)?.end {
        End::Directory(parts) => Some(parts),
        End::Leaf(_) | End::Nothing => None,
    })
}

/// The path without links that a path leads to, from the root. `None` if there is nothing.
pub(super) fn resolved(trees: &[PathBuf], path: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let followed = follow(trees, path, &[])?;
    Ok(match followed.end {
        End::Nothing => None,
        End::Directory(_) | End::Leaf(_) => Some(followed.names.join(&b'/')),
    })
}

/// Where a path ends, and the names of the way there from the root.
struct Followed {
    end: End,
    names: Vec<Vec<u8>>,
}

fn follow(trees: &[PathBuf], path: &[u8], elsewhere: &[&str]) -> Result<Followed, StoreError> {
    let mut names = Vec::new();
    let end = walk(trees, path, elsewhere, &mut names)?;
    Ok(Followed { end, names })
}

/// Leaves the names of the way in `so_far`.
fn walk(
    trees: &[PathBuf],
    path: &[u8],
    elsewhere: &[&str],
    so_far: &mut Vec<Vec<u8>>,
) -> Result<End, StoreError> {
    let mut roots = trees
        .iter()
        .map(|tree| root(tree))
        .collect::<Result<Vec<_>, _>>()?;
    // The directories on the way to where the walk is, below the root.
    let mut way: Vec<Vec<OwnedFd>> = Vec::new();
    let mut rest: VecDeque<Vec<u8>> = names(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == b".." {
            way.pop();
            so_far.pop();
            continue;
        }
        if way.is_empty() && elsewhere.iter().any(|other| other.as_bytes() == name) {
            return Ok(End::Leaf(Found::Elsewhere));
        }
        match entry(way.last().unwrap_or(&roots), &name)? {
            None => return Ok(End::Nothing),
            Some(Entry::Directory(parts)) => {
                way.push(parts);
                so_far.push(name);
            }
            Some(Entry::Link(target)) => {
                links += 1;
                if links > LINKS_MAX {
                    return Ok(End::Nothing);
                }
                if target.starts_with(b"/") {
                    way.clear();
                    so_far.clear();
                }
                for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                    rest.push_front(name);
                }
            }
            Some(Entry::Leaf(_)) if !rest.is_empty() => return Ok(End::Nothing),
            Some(Entry::Leaf(found)) => {
                so_far.push(name);
                return Ok(End::Leaf(found));
            }
        }
    }
    Ok(End::Directory(
        way.pop().unwrap_or_else(|| std::mem::take(&mut roots)),
    ))
}

fn names(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<'_> {
    let names = path.split(|byte| *byte == b'/');
    names
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
}

/// What a name stands for in a directory, of which these are the parts, topmost first.
fn entry(parts: &[OwnedFd], name: &[u8]) -> Result<Option<Entry>, StoreError> {
    let Ok(c_name) = CString::new(name) else {
        return Ok(None);
    };
    let mut inner = Vec::new();
    for part in parts {
        let stat = match statat(part, &c_name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT | Errno::NAMETOOLONG) => continue,
            other => other.map_err(|error| io(name, error))?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            let folder =
                openat(part, &c_name, FOLDER, Mode::empty()).map_err(|error| io(name, error))?;
            let hides = is_opaque(&folder, name)?;
            inner.push(folder);
            if hides {
                break;
            }
            continue;
        }
        // What is no directory hides all below it, and so does a removal.
        if !inner.is_empty() {
            break;
        }
        if is_whiteout(&stat) {
            return Ok(None);
        }
        return match kind {
            FileType::Symlink => {
                let target =
                    readlinkat(part, &c_name, Vec::new()).map_err(|error| io(name, error))?;
                Ok(Some(Entry::Link(target.into_bytes())))
            }
            FileType::RegularFile => {
                // What has become a fifo meanwhile must not make this wait.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file =
                    openat(part, &c_name, flags, Mode::empty()).map_err(|error| io(name, error))?;
                let own = fstat(&file).map_err(|error| io(name, error))?;
                if FileType::from_raw_mode(own.st_mode) != FileType::RegularFile {
                    return Err(unfit(name, "it was changed while it was read"));
                }
                Ok(Some(Entry::Leaf(Found::File {
                    file: File::from(file),
                    mode: own.st_mode,
                })))
            }
            _ => Ok(Some(Entry::Leaf(Found::Other))),
        };
    }
    Ok((!inner.is_empty()).then_some(Entry::Directory(inner)))
}
