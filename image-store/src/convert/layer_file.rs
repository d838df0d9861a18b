//! The one layer of a converted image.

use std::path::PathBuf;

use image_name::Digest;

/// The one layer of a converted image.
pub(super) struct LayerFile {
    pub(super) path: PathBuf,
    /// `+gzip` and the like.
    pub(super) suffix: &'static str,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) diff_id: Digest,
}
