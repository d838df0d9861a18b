//! Half-done things: directories in `tmp/` that their owner holds a lock on.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, IFlags, flock, ioctl_getflags, ioctl_setflags};

use super::Store;
use super::paths::make_folder;
use crate::error::StoreError;

/// A directory of one's own in `tmp/`, gone when this is dropped.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Makes a new directory in `tmp/`, for which no pin is needed. Whatever becomes of this process, a collection takes it
    /// away.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        // Between its making and its lock, a collection would take it for a dead one's.
        let _pin = self.pin()?;
        self.stage_locked()
    }

    /// As [`Store::stage`], for one who holds the store's lock.
    pub(super) fn stage_locked(&self) -> Result<Staging, StoreError> {
        let tmp = self.tmp_folder();
        make_folder(&tmp)?;
        spread(&tmp);
        loop {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let name = format!("stage-{}-{}", std::process::id(), now.as_nanos());
            let path = tmp.join(name);
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            match builder.create(&path) {
                Ok(()) => {}
                // Another thread, in the same moment.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(StoreError::io("cannot create", &path, error)),
            }
            let lock = File::open(&path).map_err(|e| StoreError::io("cannot open", &path, e))?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive)
                .map_err(|error| StoreError::io("cannot lock", &path, error))?;
            return Ok(Staging { path, _lock: lock });
        }
    }
}

impl Staging {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of this name.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        File::create(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| StoreError::io("cannot write", &path, error))?;
        Ok(path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next collection.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// Tells ext4 that what is made in this directory has nothing to do with each other. Each fetch then
/// gets inodes in another part of the disk: where some were freed within the last minutes, finding
/// new ones takes longer than all else (`recently_deleted` in ext4's `ialloc.c`).
fn spread(folder: &Path) {
    let set = File::open(folder).and_then(|folder| {
        let flags = ioctl_getflags(&folder)?;
        match flags.contains(IFlags::TOPDIR) {
            true => Ok(()),
            false => Ok(ioctl_setflags(&folder, flags.union(IFlags::TOPDIR))?),
        }
    });
    // A hint that other file systems don't take.
    drop(set);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_in_tmp_is_spread_over_the_disk_where_the_file_system_can() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        fs::create_dir(&ours).unwrap();
        fs::create_dir(&plain).unwrap();
        let flags = |path: &Path| ioctl_getflags(File::open(path).unwrap()).ok();
        let before = flags(&plain);
        let takes_it = before.is_some_and(|flags| {
            ioctl_setflags(File::open(&plain).unwrap(), flags.union(IFlags::TOPDIR)).is_ok()
        });
        spread(&ours);
        spread(&ours);
        let expected = before.map(|flags| match takes_it {
            true => flags.union(IFlags::TOPDIR),
            false => flags,
        });
        assert_eq!(flags(&ours), expected);
    }

    #[test]
    fn half_done_things_are_their_owner_s_alone_and_go_with_it() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let staging = store.stage().unwrap();
        let path = staging.path().to_owned();
        assert_eq!(path.parent(), Some(&*folder.path().join("tmp")));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        let written = staging.write("file", b"x").unwrap();
        assert_eq!(fs::read(written).unwrap(), b"x");
        let error = staging.write("no/file", b"x").unwrap_err().to_string();
        assert!(error.contains("no/file"), "{error}");
        // Who collects sees by the lock that somebody is at it.
        let try_lock = |path: &Path| {
            let open = File::open(path).unwrap();
            flock(&open, FlockOperation::NonBlockingLockExclusive)
        };
        assert_eq!(try_lock(&path), Err(rustix::io::Errno::WOULDBLOCK));
        drop(staging);
        assert!(!path.exists());
    }
}
