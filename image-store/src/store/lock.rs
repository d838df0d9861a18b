//! Use against collection: many may use the store, one may collect, never both.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FlockOperation, flock};

use super::Store;
use super::paths::make_folder;
use crate::error::StoreError;

/// While one of these lives, nothing is collected. Hold it from before an image is picked or
/// fetched until whoever uses it is on record.
#[derive(Debug)]
pub struct Pin {
    _lock: File,
}

/// While this lives, nobody picks or fetches an image.
#[derive(Debug)]
pub struct Exclusive {
    _lock: File,
}

impl Store {
    /// Keeps everything in the store until the pin is dropped. Waits while someone collects.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the lock file can't be opened.
    pub fn pin(&self) -> Result<Pin, StoreError> {
        Ok(Pin {
            _lock: self.lock(FlockOperation::LockShared)?,
        })
    }

    /// Waits until all pins are dropped, and keeps new ones waiting.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the lock file can't be opened.
    pub fn exclusive(&self) -> Result<Exclusive, StoreError> {
        Ok(Exclusive {
            _lock: self.lock(FlockOperation::LockExclusive)?,
        })
    }

    fn lock(&self, operation: FlockOperation) -> Result<File, StoreError> {
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
        let file = file.map_err(|error| StoreError::io("cannot open", &path, error))?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(StoreError::io("cannot lock", &path, error)),
            }
        }
    }
}
