//! What the topmost of several trees changes of the others.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

use image_layer::Limits;
use rustix::fs::{AtFlags, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::merged::{FOLDER, Part, io, is_opaque, is_whiteout, names, root};
use super::owners::Tree;
use crate::error::StoreError;

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is there now.
    Added,
    /// It is another one, or something below it is.
    Changed,
    /// It is gone.
    Deleted,
}

/// Tells of each path that `changes` makes another one of what `trees`, topmost first, show together: a directory before
/// what is in it. `is_passed_over` knows of paths that are none of the changes.
///
/// # Errors
/// If something can't be read.
pub fn changes(
    changes: &Tree,
    trees: &[Tree],
    is_passed_over: impl Fn(&[u8]) -> bool,
    tell: impl FnMut(Change, &[u8]),
) -> Result<(), StoreError> {
    let below: Vec<Part<'_>> = trees.iter().map(part).collect::<Result<_, _>>()?;
    let mut comparison = Comparison {
        is_passed_over,
        tell,
        pending: Vec::new(),
        depth_max: Limits::default().depth,
    };
    comparison.directory(&part(changes)?, &below, false, &mut Vec::new(), 0)
}

fn part(tree: &Tree) -> Result<Part<'_>, StoreError> {
    Ok(Part {
        directory: root(&tree.path)?,
        owners: tree.owners.as_ref(),
    })
}

struct Comparison<P, T> {
    is_passed_over: P,
    tell: T,
    /// Directories that are told of once something in them is: their paths' lengths.
    pending: Vec<usize>,
    depth_max: usize,
}

impl<P: Fn(&[u8]) -> bool, T: FnMut(Change, &[u8])> Comparison<P, T> {
    fn told(&mut self, change: Change, path: &[u8]) {
        for length in std::mem::take(&mut self.pending) {
            (self.tell)(Change::Changed, path.get(..length).unwrap_or_default());
        }
        (self.tell)(change, path);
    }

    /// Compares what is in a directory. `hides` says whether nothing of those below is seen through it.
    fn directory(
        &mut self,
        top: &Part<'_>,
        below: &[Part<'_>],
        hides: bool,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        if depth > self.depth_max {
            return Ok(());
        }
        let mut all: BTreeSet<CString> = names(std::slice::from_ref(top), path)?
            .into_keys()
            .collect();
        if hides {
            all.extend(names(below, path)?.into_keys());
        }
        let length = path.len();
        for name in all {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let done = self.entry(top, below, &name, path, depth);
            path.truncate(length);
            done?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        top: &Part<'_>,
        below: &[Part<'_>],
        name: &CStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        if (self.is_passed_over)(path) {
            return Ok(());
        }
        let before = seen(below, name, path)?;
        let now = match statat(top, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if !is_whiteout(&stat) => stat,
            Ok(_) | Err(Errno::NOENT) => {
                if before.is_some() {
                    self.told(Change::Deleted, path);
                }
                return Ok(());
            }
            Err(error) => return Err(io(path, error)),
        };
        let is_directory =
            |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let change = match before {
            Some(_) => Change::Changed,
            None => Change::Added,
        };
        if !is_directory(&now) {
            self.told(change, path);
            return Ok(());
        }
        let directory = match openat(top, name, FOLDER, Mode::empty()) {
            // Of a pod that runs.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
            opened => opened.map_err(|error| io(path, error))?,
        };
        let inner = Part {
            directory,
            owners: top.owners,
        };
        let hides = is_opaque(&inner, path)?;
        let now = top.seen(fstat(&inner).map_err(|error| io(path, error))?);
        let below = match &before {
            Some(before) if is_directory(before) => directories(below, name, path)?,
            _ => Vec::new(),
        };
        let facts = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
        let is_same = before
            .as_ref()
            .is_some_and(|before| facts(before) == facts(&now));
        // Copied as it was, so that something in it can be another.
        let waits = is_same && !hides;
        match waits {
            true => self.pending.push(path.len()),
            false => self.told(change, path),
        }
        self.directory(&inner, &below, hides, path, depth + 1)?;
        // What nobody has told of by now is no change.
        self.pending.retain(|length| *length != path.len());
        Ok(())
    }
}

/// What these directories show under a name.
fn seen(parts: &[Part<'_>], name: &CStr, path: &[u8]) -> Result<Option<Stat>, StoreError> {
    for part in parts {
        match statat(part, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(stat) if is_whiteout(&stat) => return Ok(None),
            found => {
                return found
                    .map(|stat| Some(part.seen(stat)))
                    .map_err(|error| io(path, error));
            }
        }
    }
    Ok(None)
}

/// The directories that are seen under a name.
fn directories<'a>(
    parts: &[Part<'a>],
    name: &CStr,
    path: &[u8],
) -> Result<Vec<Part<'a>>, StoreError> {
    let mut inner = Vec::new();
    for part in parts {
        let directory = match openat(part, name, FOLDER, Mode::empty()) {
            Err(Errno::NOENT) => continue,
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            opened => opened.map_err(|error| io(path, error))?,
        };
        let is_last = is_opaque(&directory, path)?;
        inner.push(Part {
            directory,
            owners: part.owners,
        });
        if is_last {
            break;
        }
    }
    Ok(inner)
}
