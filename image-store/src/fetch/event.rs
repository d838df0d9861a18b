//! What a fetch tells while it works.

use image_name::Digest;

/// What a fetch tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent {
    /// A layer of the image, told for all of them in order before anything is transferred.
    Layer {
        /// Digest of the compressed layer.
        digest: Digest,
        /// Compressed bytes.
        size: u64,
        /// Whether it is in the store already.
        present: bool,
    },
    /// Bytes have come.
    Received {
        /// Digest of the compressed layer.
        digest: Digest,
        /// Bytes so far.
        bytes: u64,
    },
    /// Another command works on the layer; this one goes on when that has ended.
    Waiting {
        /// Digest of the compressed layer.
        digest: Digest,
    },
    /// A layer was checked and unpacked, or another command did that meanwhile.
    Done {
        /// Digest of the compressed layer.
        digest: Digest,
    },
}
