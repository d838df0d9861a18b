//! A volume that is there, and what keeps it there.

use std::fs::File;
use std::path::PathBuf;

use super::record::VolumeRecord;
use super::size_limit;
use crate::error::PodError;

/// What pods mount of one.
pub(super) const DATA: &str = "data";

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

/// Keeps all volumes from being removed while it lives.
#[derive(Debug)]
pub struct VolumesPin(#[expect(dead_code, reason = "it is held, not read")] pub(super) File);
