//! Removal in two steps: out of sight at once, off the disk when nobody waits any more.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use image_layer::ContentError;

use super::{Staging, Store};
use crate::error::StoreError;

/// A directory in `tmp/` for what is to be removed. If this process is killed, the next collection
/// finds it there.
#[derive(Debug)]
pub(super) struct Trash {
    /// `None` where there is no space for a directory: things go at once then.
    staging: Option<Staging>,
    next: usize,
}

impl Store {
    /// Makes the directory; the store has to be locked.
    pub(super) fn trash(&self) -> Result<Trash, StoreError> {
        let staging = match self.stage() {
            Ok(staging) => Some(staging),
            Err(StoreError::Content(ContentError::NoSpace { .. })) => None,
            Err(error) => return Err(error),
        };
        Ok(Trash { staging, next: 0 })
    }
}

impl Trash {
    /// Takes a file or directory out of sight; what is gone already is fine. It is never seen half
    /// removed. Gives where it is until it goes.
    pub(super) fn take(&mut self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        if let Some(staging) = &self.staging {
            let to = staging.path().join(self.next.to_string());
            self.next += 1;
            match fs::rename(path, &to) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                // A directory must not become larger where the disk is full.
                Err(error) if error.kind() == ErrorKind::StorageFull => {}
                Err(error) => return Err(StoreError::io("cannot remove", path, error)),
                Ok(()) => return Ok(Some(to)),
            }
        }
        remove_in_place(path)?;
        Ok(None)
    }

    /// Removes all for good.
    pub(super) fn empty(self) -> Result<(), StoreError> {
        match &self.staging {
            Some(staging) => remove(staging.path()),
            None => Ok(()),
        }
    }
}

/// Another name in the same directory needs no space.
fn remove_in_place(path: &Path) -> Result<(), StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !path.is_dir() || name.starts_with(REMOVED) {
        return remove(path);
    }
    let to: PathBuf = path.with_file_name(format!("{REMOVED}{name}"));
    // A killed collection may have left one of that name.
    remove(&to)?;
    match fs::rename(path, &to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StoreError::io("cannot remove", path, error)),
        Ok(()) => remove(&to),
    }
}

/// What the name of a directory begins with that was being removed where it lay.
pub(super) const REMOVED: &str = "removed-";

/// Removes a file or a directory with all in it; what is gone already is fine.
fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("cannot remove", path, error))
        }
        _ => Ok(()),
    }
}
