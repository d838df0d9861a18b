//! Who unpacks a layer, and how that goes: so that it is done once however many want it, and nobody waits
//! for one who gets nowhere.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use image_name::Digest;
use rustix::fs::{FlockOperation, flock};

use super::paths::make_folder;
use super::{Staging, Store};
use crate::error::StoreError;

/// Where a directory of half-done things tells how many bytes have come.
const PROGRESS: &str = "progress";

/// Told instead of a number of bytes when all has come.
const ALL: u64 = u64::MAX;

/// The right to unpack one layer, so that it is done once however many fetch it.
#[derive(Debug)]
pub(crate) struct LayerLock {
    path: PathBuf,
    lock: File,
}

/// Who has a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The name of the directory in `tmp/` that it works in.
    pub(crate) staging: String,
    /// The registry that it comes from; empty for what is on this machine.
    pub(crate) place: String,
}

impl Store {
    /// Takes the lock of a layer; `None` where another holds it.
    ///
    /// Nobody may wait for one of these locks who holds another, so that fetches of images with the same
    /// layers in another order can't wait for each other.
    pub(crate) fn lock_layer(&self, diff_id: &Digest) -> Result<Option<LayerLock>, StoreError> {
        let tmp = self.tmp_folder();
        make_folder(&tmp)?;
        let path = self.layer_lock_path(diff_id);
        loop {
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|error| StoreError::io("cannot create", &path, error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(StoreError::io("cannot lock", &path, error)),
            }
            // Its holder may have removed it before it was locked here.
            if same_file(&file, &path) {
                return Ok(Some(LayerLock { path, lock: file }));
            }
        }
    }
}

impl Store {
    /// Who has a layer; `None` if nobody has it or it isn't told yet.
    pub(crate) fn layer_holder(&self, diff_id: &Digest) -> Option<Holder> {
        let text = fs::read_to_string(self.layer_lock_path(diff_id)).ok()?;
        let (staging, place) = text.strip_suffix('\n')?.split_once('\n')?;
        let (staging, place) = (staging.to_owned(), place.to_owned());
        Some(Holder { staging, place })
    }

    /// How many bytes have come where `holder` works, `u64::MAX` when all have; `None` if it doesn't say.
    pub(crate) fn progress_of(&self, holder: &Holder) -> Option<u64> {
        let path = self.tmp_folder().join(&holder.staging).join(PROGRESS);
        let mut bytes = [0; 8];
        File::open(path).ok()?.read_exact_at(&mut bytes, 0).ok()?;
        Some(u64::from_le_bytes(bytes))
    }

    fn layer_lock_path(&self, diff_id: &Digest) -> PathBuf {
        self.tmp_folder()
            .join(format!("layer-{}.lock", diff_id.hex()))
    }
}

impl LayerLock {
    /// Tells others where the layer is worked on, and where it comes from.
    pub(crate) fn tell(&self, staging: &Staging, place: &str) {
        let name = staging.path().file_name().unwrap_or_default();
        let text = format!("{}\n{place}\n", name.to_string_lossy());
        // On a full disk nobody is told. Who isn't told waits for a moment only.
        let written = self.lock.set_len(0);
        drop(written.and_then(|()| self.lock.write_all_at(text.as_bytes(), 0)));
    }
}

impl Drop for LayerLock {
    fn drop(&mut self) {
        // Still locked here, so nobody else can have taken this very file.
        drop(fs::remove_file(&self.path));
    }
}

/// Tells others how the work in a staging directory goes.
#[derive(Debug)]
pub(crate) struct Progress {
    file: File,
    bytes: AtomicU64,
}

impl Staging {
    /// Where the progress of the work in it is told.
    pub(crate) fn progress(&self) -> Result<Progress, StoreError> {
        let path = self.path().join(PROGRESS);
        let file = File::create(&path).map_err(|e| StoreError::io("cannot create", &path, e))?;
        let bytes = AtomicU64::new(0);
        Ok(Progress { file, bytes })
    }
}

impl Progress {
    /// So many more bytes have come.
    pub(crate) fn add(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.write(before.saturating_add(bytes));
    }

    /// All has come: what is left to do is done on this machine.
    pub(crate) fn all_came(&self) {
        self.write(ALL);
    }

    fn write(&self, bytes: u64) {
        // Who isn't told waits for a moment only.
        drop(self.file.write_all_at(&bytes.to_le_bytes(), 0));
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_only_while_its_name_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let file = File::create(&here).unwrap();
        assert!(same_file(&file, &here));
        assert!(!same_file(&file, &there));
        fs::rename(&here, &there).unwrap();
        File::create(&here).unwrap();
        assert!(!same_file(&file, &here) && same_file(&file, &there));
        // The same number on another file system is another file.
        let other = File::open("/proc/self/status").unwrap();
        assert!(!same_file(&other, &there));
        fs::remove_file(&there).unwrap();
        assert!(!same_file(&file, &there));
    }

    #[test]
    fn one_unpacks_a_layer_and_its_lock_goes_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let (one, other) = (image_layer::sha256(b"one"), image_layer::sha256(b"other"));
        let lock = store.lock_layer(&one).unwrap().unwrap();
        assert!(store.lock_layer(&one).unwrap().is_none());
        let _other = store.lock_layer(&other).unwrap().unwrap();
        let names = || fs::read_dir(folder.path().join("tmp")).unwrap().count();
        assert_eq!(names(), 2);
        drop(lock);
        assert_eq!(names(), 1);
        assert!(store.lock_layer(&one).unwrap().is_some());
    }

    #[test]
    fn who_has_a_layer_and_how_far_it_is_can_be_read_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let layer = image_layer::sha256(b"layer");
        assert_eq!(store.layer_holder(&layer), None);
        let lock = store.lock_layer(&layer).unwrap().unwrap();
        assert_eq!(store.layer_holder(&layer), None);
        let staging = store.stage().unwrap();
        lock.tell(&staging, "a registry with a long name");
        lock.tell(&staging, "a.io");
        let holder = store.layer_holder(&layer).unwrap();
        assert_eq!(holder.place, "a.io");
        assert_eq!(store.progress_of(&holder), None);
        let progress = staging.progress().unwrap();
        progress.add(7);
        progress.add(5);
        assert_eq!(store.progress_of(&holder), Some(12));
        progress.all_came();
        assert_eq!(store.progress_of(&holder), Some(u64::MAX));
        progress.add(0);
        assert_eq!(store.progress_of(&holder), Some(12));
        drop((lock, staging));
        assert_eq!(store.progress_of(&holder), None);
        assert_eq!(store.layer_holder(&layer), None);
    }
}
