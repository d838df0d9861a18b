//! A volume that is there, and what keeps it there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::record::VolumeRecord;
use super::size_limit;
use crate::error::PodError;
use crate::lock::lock_path;

/// What pods mount of one.
pub(super) const DATA: &str = "data";

/// The record of one. Who reads the volume holds a lock on it, who fills it one on the directory.
pub(super) const RECORD: &str = "volume.json";

/// A volume that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVolume {
    pub(super) path: PathBuf,
    /// What is on record of it.
    pub record: VolumeRecord,
}

impl NamedVolume {
    /// The directory that pods mount.
    pub fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Keeps the volume from being removed while a command reads it, also when the pin is gone.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn hold(&self, _pin: &VolumesPin) -> Result<VolumeHold, PodError> {
        lock_path(&self.path.join(RECORD), FlockOperation::LockShared).map(VolumeHold)
    }

    /// The same for a command that fills it from where nobody knows how long that takes; `None` if another command holds it.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn hold_alone(&self, _pin: &VolumesPin) -> Result<Option<VolumeHold>, PodError> {
        match lock_path(
            &self.path.join(RECORD),
            FlockOperation::NonBlockingLockExclusive,
        ) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                Ok(None)
            }
            other => other.map(VolumeHold).map(Some),
        }
    }

    /// Waits until nobody fills the volume. False if a command does that [holds it alone](Self::hold_alone).
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn wait_until_filled(&self) -> Result<bool, PodError> {
        let record = self.path.join(RECORD);
        let waited = match lock_path(&record, FlockOperation::NonBlockingLockShared) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                return Ok(false);
            }
            Ok(_) => lock_path(&self.path, FlockOperation::LockShared).map(|_| true),
            Err(error) => Err(error),
        };
        match waited {
            // It is gone.
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(true)
            }
            other => other,
        }
    }

    /// The bytes that a limited volume takes on the disk; `None` if nobody counts them.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn used(&self) -> Result<Option<u64>, PodError> {
        let limit = self.record.limit;
        limit
            .map(|limit| size_limit::used(&self.path, limit.project))
            .transpose()
    }
}

/// Locks a volume that nobody reads or fills, or what is left of one; `None` if somebody does. One that isn't there is free.
pub(super) fn free(path: &Path) -> Result<Option<Vec<File>>, PodError> {
    let mut locks = Vec::new();
    for path in [path, &path.join(RECORD)] {
        match lock_path(path, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => locks.push(lock),
            Err(PodError::Io { source, .. }) => match source.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {}
                _ => return Err(PodError::io("lock", path)(source)),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(Some(locks))
}

/// Keeps one volume from being removed while it lives.
#[derive(Debug)]
pub struct VolumeHold(#[expect(dead_code, reason = "it is held, not read")] File);

/// Keeps all volumes from being removed while it lives.
#[derive(Debug)]
pub struct VolumesPin(#[expect(dead_code, reason = "it is held, not read")] pub(super) File);
