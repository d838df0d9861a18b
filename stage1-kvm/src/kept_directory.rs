//! Directories of what is made once and kept: nobody but root enters them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use pod::templates::NEW_BOOT_FILES;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Makes one, and those that lead to it, unless it is there.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes one with all that is in it, if it is there, and whatever else is in its place.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => fs::remove_file(path),
        Ok(_) => fs::remove_dir_all(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// One that is being made. It is removed with this, unless it was renamed.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) path: PathBuf,
    /// Who removes what killed makers left leaves this alone.
    _lock: File,
}

impl Unfinished {
    /// Makes one in a directory.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{NEW_BOOT_FILES}{}", std::process::id()));
        loop {
            // What is left of one that was killed.
            remove(&path)?;
            make(&path)?;
            let Ok(lock) = File::open(&path) else {
                // Somebody took it for one that was left, before it was locked.
                continue;
            };
            let is_locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
            match is_locked {
                Ok(()) if is_at(&lock, &path) => return Ok(Self { path, _lock: lock }),
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What made it fail says more, and what is left is collected.
        let _ = remove(&self.path);
    }
}

fn is_at(open: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let there = fs::symlink_metadata(path).map(identity);
    matches!((open.metadata().map(identity), there), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use pod::templates::collect_half_made;

    use super::*;

    #[test]
    fn what_is_being_made_is_collected_only_once_its_maker_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::new(folder.path()).unwrap();
        collect_half_made(folder.path()).unwrap();
        assert!(unfinished.path.is_dir());
        let path = unfinished.path.clone();
        drop(unfinished);
        assert!(!path.exists());
        // One that was killed left this.
        make(&path).unwrap();
        fs::write(path.join("vmlinux"), "half").unwrap();
        collect_half_made(folder.path()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_in_its_place_is_removed_and_what_it_leads_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        remove(&link).unwrap();
        assert!(elsewhere.is_dir() && !link.is_symlink());
        remove(&link).unwrap();
    }
}
