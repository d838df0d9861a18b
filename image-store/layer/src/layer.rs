//! An unpacked layer.

use std::path::PathBuf;

use image_name::Digest;

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the uncompressed layer.
    pub diff_id: Digest,
    /// The tree, whiteouts in overlayfs' form. Never to be changed.
    pub path: PathBuf,
}
