//! What layouts are made of, and where they go.

use std::path::Path;

use image_name::Digest;

use crate::error::StoreError;

/// The content of the file `oci-layout`.
pub(super) const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Refuses a destination that exists.
pub(crate) fn new(dest: &Path) -> Result<(), StoreError> {
    if dest.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(StoreError::Destination {
        path: dest.to_owned(),
        reason: "already exists",
    })
}

/// The file of a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
