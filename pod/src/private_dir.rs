//! Directories that are root's alone.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::error::PodError;

/// Makes a directory, with those above it, if it is missing.
///
/// # Errors
/// [`PodError::Io`] if it can't be made.
pub(crate) fn make(path: &Path) -> Result<(), PodError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(PodError::io("create", path))
}
