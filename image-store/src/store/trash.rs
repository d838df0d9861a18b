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
        let staging = match self.stage_locked() {
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
    unless_gone(path, fs::rename(path, &to))?;
    remove(&to)
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
    unless_gone(path, removed)
}

/// What came of a removal, where what is gone already is fine.
fn unless_gone(path: &Path, removed: std::io::Result<()>) -> Result<(), StoreError> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("cannot remove", path, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Tmpfs;

    /// What is in a directory, by name.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// A file, a directory with content, and a neighbour that stays.
    fn fill(folder: &Path) {
        fs::create_dir_all(folder.join("layer/fs")).unwrap();
        for name in ["blob", "layer/fs/file", "neighbour"] {
            fs::write(folder.join(name), name).unwrap();
        }
    }

    #[test]
    fn what_is_taken_is_out_of_sight_at_once_and_gone_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("images"));
        let here = folder.path().join("images/blobs");
        fill(&here);
        let mut trash = store.trash().unwrap();
        let taken = trash.take(&here.join("layer")).unwrap().unwrap();
        assert_eq!(names(&taken), ["fs"]);
        let other = trash.take(&here.join("blob")).unwrap().unwrap();
        assert_eq!(trash.take(&here.join("blob")).unwrap(), None);
        assert_eq!(names(&here), ["neighbour"]);
        assert!(taken.exists() && other.exists());
        trash.empty().unwrap();
        assert!(!taken.exists() && !other.exists());
        assert_eq!(names(&here), ["neighbour"]);
    }

    #[test]
    fn what_can_not_be_taken_out_of_sight_stays_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("images"));
        let elsewhere = Tmpfs::new("1m");
        fill(elsewhere.path());
        let mut trash = store.trash().unwrap();
        // It is on another disk.
        let error = trash.take(&elsewhere.path().join("layer")).unwrap_err();
        assert!(error.to_string().contains("cannot remove"), "{error}");
        let kept = names(elsewhere.path());
        assert_eq!(kept, ["blob", "layer", "neighbour"]);
        // Nor can what is mounted be taken elsewhere.
        let error = remove_in_place(elsewhere.path()).unwrap_err();
        assert!(error.to_string().contains("cannot remove"), "{error}");
        assert_eq!(names(elsewhere.path()), kept);
        let below_a_file = folder.path().join("file/name");
        fs::write(folder.path().join("file"), "").unwrap();
        let mut in_place = Trash {
            staging: None,
            next: 0,
        };
        for trash in [&mut trash, &mut in_place] {
            let error = trash.take(&below_a_file).unwrap_err().to_string();
            assert!(error.contains("file/name"), "{error}");
        }
    }

    #[test]
    fn what_goes_while_it_is_removed_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        remove(&missing).unwrap();
        remove_in_place(&missing).unwrap();
        // A link is removed, and not what it leads to.
        fill(folder.path());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("layer"), &link).unwrap();
        remove(&link).unwrap();
        assert_eq!(names(folder.path()), ["blob", "layer", "neighbour"]);
    }

    #[test]
    fn without_room_for_a_directory_it_is_removed_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        // Left by one that was killed.
        fs::create_dir_all(folder.path().join("removed-layer/fs")).unwrap();
        let mut trash = Trash {
            staging: None,
            next: 0,
        };
        for name in ["layer", "blob", "blob", "removed-layer"] {
            assert_eq!(trash.take(&folder.path().join(name)).unwrap(), None);
        }
        assert_eq!(names(folder.path()), ["neighbour"]);
        trash.empty().unwrap();
    }
}
