//! Use against collection: many may use the store, one may collect, never both.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::Store;
use super::paths::make_folder;
use crate::error::StoreError;

/// While one of these lives, nothing is collected. Hold it from before an image is picked until whoever uses it is on
/// record; a fetch gives one. Hold none while a registry is waited for.
#[derive(Debug)]
pub struct Pin {
    _lock: File,
}

/// While this lives, nobody picks an image or makes one visible. Starts wait for its end: it is to be short.
#[derive(Debug)]
pub struct Exclusive {
    _lock: File,
}

/// How long starts are kept waiting for those before them, so that a collection gets its turn.
const TURN: Duration = Duration::from_millis(20);

/// The longest pause between two turns, beside an export that takes its time.
const PAUSE: Duration = Duration::from_millis(500);

/// A start is over by then: who has waited for so long waits for something else.
const LONG: Duration = Duration::from_millis(500);

impl Store {
    /// Keeps everything in the store until the pin is dropped. Waits while someone collects, which
    /// is for as long as it takes to decide what goes.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the lock file can't be opened.
    pub fn pin(&self) -> Result<Pin, StoreError> {
        let lock = self.open_lock()?;
        // Whose turn it is to collect has this one until all earlier pins are dropped, or for a
        // moment. Who holds a pin and asks for another has to wait for no longer than that.
        let turn = self.open_turn()?;
        self.lock(&turn, FlockOperation::LockShared)?;
        self.lock(&lock, FlockOperation::LockShared)?;
        Ok(Pin { _lock: lock })
    }

    /// Waits until all pins are dropped, and keeps new ones waiting.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the lock file can't be opened.
    pub fn exclusive(&self) -> Result<Exclusive, StoreError> {
        self.exclusive_telling(|| ())
    }

    /// As [`Store::exclusive`]; calls `waits` once if that takes longer than starts do.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the lock file can't be opened.
    pub fn exclusive_telling(&self, waits: impl FnOnce()) -> Result<Exclusive, StoreError> {
        let begun = Instant::now();
        let mut waits = Some(waits);
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(alone) = self.take_turn()? {
                return Ok(alone);
            }
            if begun.elapsed() >= LONG
                && let Some(waits) = waits.take()
            {
                waits();
            }
            // There is no event to wait for: with the turn, one would keep all starts waiting for an export
            // that takes minutes; without it, one gets no lock where starts overlap all the time.
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(PAUSE);
        }
    }

    /// Keeps new pins waiting for a moment, in which those before them may be dropped.
    fn take_turn(&self) -> Result<Option<Exclusive>, StoreError> {
        let lock = self.open_lock()?;
        let turn = self.open_turn()?;
        self.lock(&turn, FlockOperation::LockExclusive)?;
        let begun = Instant::now();
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Exclusive { _lock: lock })),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(error) => return Err(self.lock_failed(error)),
            }
            if begun.elapsed() >= TURN {
                return Ok(None);
            }
            // flock(2) knows no deadline, and this one is not to be exceeded. It is short.
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn open_lock(&self) -> Result<File, StoreError> {
        let path = self.root.join("lock");
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
        };
        let file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                make_folder(&self.root)?;
                open()
            }
            other => other,
        };
        file.map_err(|error| StoreError::io("cannot open", &path, error))
    }

    /// The directory itself; it is there once the lock is.
    fn open_turn(&self) -> Result<File, StoreError> {
        File::open(&self.root).map_err(|error| StoreError::io("cannot open", &self.root, error))
    }

    fn lock(&self, file: &File, operation: FlockOperation) -> Result<(), StoreError> {
        loop {
            match flock(file, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.lock_failed(error)),
            }
        }
    }

    fn lock_failed(&self, error: Errno) -> StoreError {
        StoreError::io("cannot lock", &self.root, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_that_waits_longer_than_a_start_takes_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let alone = store
            .exclusive_telling(|| panic!("nothing is pinned"))
            .unwrap();
        drop(alone);
        let begun = Instant::now();
        let pin = store.pin().unwrap();
        let mut told = 0;
        let _alone = store
            .exclusive_telling(|| {
                told += 1;
                assert!(begun.elapsed() >= LONG);
                drop(pin);
            })
            .unwrap();
        assert_eq!(told, 1);
    }

    #[test]
    fn who_collects_is_alone_and_who_asks_for_it_beside_a_pin_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let pins = (store.pin().unwrap(), store.pin().unwrap());
        assert!(store.take_turn().unwrap().is_none());
        drop(pins);
        let alone = store.exclusive().unwrap();
        assert!(store.take_turn().unwrap().is_none());
        drop(alone);
        assert!(store.take_turn().unwrap().is_some());
    }

    #[test]
    fn a_store_that_can_not_be_locked_is_told_by_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Store::open(&file).pin().unwrap_err().to_string();
        assert!(
            error.contains("cannot open") && error.contains("file/lock"),
            "{error}"
        );
        // One that isn't there yet is made.
        Store::open(&folder.path().join("var/images"))
            .pin()
            .unwrap();
    }
}
