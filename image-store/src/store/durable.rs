//! What makes writes last.

use std::fs::File;
use std::path::Path;

use crate::error::StoreError;

/// Brings all that was written to the file system of `folder` to the disk. One call for a whole
/// fetch costs less than one for each of thousands of files.
pub(crate) fn sync_file_system(folder: &Path) -> Result<(), StoreError> {
    let open = File::open(folder).map_err(|e| StoreError::io("cannot open", folder, e))?;
    rustix::fs::syncfs(&open).map_err(|error| StoreError::io("cannot sync", folder, error))
}

/// Brings the names in `folder` to the disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|open| open.sync_all())
        .map_err(|error| StoreError::io("cannot sync", folder, error))
}
