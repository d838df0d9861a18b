//! Reading a manifest of any version that is understood.

use std::path::Path;

use super::pod::{MANIFEST_VERSION, PodManifest};
use super::version_2::{PodManifest2, VERSION_2};
use crate::error::PodError;
use crate::layout::MANIFEST_FILE;
use crate::record;

impl PodManifest {
    /// Reads the manifest of the pod in `directory`. One of version 2, which an earlier release has left, becomes
    /// what it means today; on disk it stays as it is.
    ///
    /// # Errors
    /// As [`record::read`].
    pub fn load(directory: &Path) -> Result<Self, PodError> {
        let path = directory.join(MANIFEST_FILE);
        Self::parse(&path, &record::read_bytes(&path)?)
    }

    /// What the manifest in `path` means, which says `bytes`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PodError> {
        record::parse(path, bytes, MANIFEST_VERSION).or_else(|error| {
            // Only a manifest that can't be understood is looked at twice.
            match record::version_of(bytes) {
                Some(VERSION_2) => {
                    let old: PodManifest2 = record::parse(path, bytes, MANIFEST_VERSION)?;
                    Self::try_from(old).map_err(|reason| PodError::Damaged {
                        path: path.to_path_buf(),
                        reason,
                    })
                }
                Some(found) if found < VERSION_2 => Err(PodError::Damaged {
                    path: path.to_path_buf(),
                    reason: format!(
                        "it has version {found}, and versions {VERSION_2} to {MANIFEST_VERSION} are read"
                    ),
                }),
                _ => Err(error),
            }
        })
    }
}
