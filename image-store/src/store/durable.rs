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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_brought_to_the_disk_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        sync_file_system(folder.path()).unwrap();
        sync_folder(folder.path()).unwrap();
        for error in [
            sync_file_system(&missing).unwrap_err(),
            sync_folder(&missing).unwrap_err(),
            publish(&missing, &folder.path().join("to"), Durability::Visible).unwrap_err(),
        ] {
            let told = error.to_string();
            assert!(told.contains("/missing") || told.contains("/to"), "{told}");
        }
    }

    #[test]
    fn what_is_published_takes_the_place_of_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&to, "old").unwrap();
        for durability in [Durability::Visible, Durability::Content, Durability::Full] {
            std::fs::write(&from, "new").unwrap();
            publish(&from, &to, durability).unwrap();
            assert_eq!(std::fs::read(&to).unwrap(), b"new");
            assert!(!from.exists());
        }
    }
}
