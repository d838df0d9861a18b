//! The parts of a plan.

use image_name::Digest;

use crate::manifest::Descriptor;
use crate::origin::RawManifest;

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Whether it is large enough to tell people of: a layer.
    pub(crate) is_layer: bool,
}

impl Blob {
    pub(crate) fn new(descriptor: &Descriptor, is_layer: bool) -> Self {
        Self {
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            is_layer,
        }
    }
}

/// A document beside the image, and how it is found from there.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) manifest: RawManifest,
    pub(crate) at: At,
}

/// How a document beside the image is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// By cosign's tag.
    Tag(String),
    /// By the subject that it names itself.
    Subject(Digest),
}
