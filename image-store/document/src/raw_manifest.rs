//! A manifest or index before it is parsed.

use image_name::Digest;

/// A manifest or index as it was read, with the digest of what was read.
#[derive(Clone, Debug)]
pub struct RawManifest {
    /// Media type as the origin tells it; may be empty where it tells none.
    pub media_type: String,
    /// The document, byte for byte.
    pub bytes: Vec<u8>,
    /// SHA-256 computed over `bytes` by the reader, never taken from a header.
    pub digest: Digest,
}
