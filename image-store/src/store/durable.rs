//! What makes writes last.

use std::fs::File;
use std::path::Path;

use atomic_file::Durability;

use crate::error::StoreError;

/// Brings all that was written to the file system of `folder` to the disk. One call for a whole
/// fetch costs less than one for each of thousands of files.
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), StoreError> {
    let open = File::open(folder).map_err(|e| StoreError::io("cannot open", folder, e))?;
    rustix::fs::syncfs(&open).map_err(|error| StoreError::io("cannot sync", folder, error))
}

/// Brings the names in `folder` to the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    atomic_file::sync_directory(folder)
        .map_err(|failed| StoreError::io("cannot sync", folder, failed.error))
}

/// Moves what is staged to its place in the store.
pub(crate) fn publish(staged: &Path, to: &Path, durability: Durability) -> Result<(), StoreError> {
    atomic_file::publish(staged, to, durability)
        .map_err(|failed| StoreError::io("cannot write", to, failed.error))
}
