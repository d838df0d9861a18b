//! The image that is judged.

use image_name::{Digest, Reference};

/// The image that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it was asked for by, which picks the rule.
    pub reference: &'a Reference,
    /// Its chain of digests, index first if it has one, then the platform manifest. The caller has
    /// hashed the bytes of each, and found each in the one before.
    pub digests: &'a [Digest],
    /// The platform manifest that will run; the last of `digests`.
    pub manifest: &'a Digest,
}
