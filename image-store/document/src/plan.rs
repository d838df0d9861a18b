//! What belongs to an image on its way, whatever it is written to.

use image_name::{Digest, Reference};

use crate::manifest::Descriptor;
use crate::raw_manifest::RawManifest;

/// Everything that belongs to an image.
#[derive(Debug)]
pub struct Plan {
    /// What the image is named by.
    pub top: RawManifest,
    /// The name that its place gives it.
    pub name: Option<Reference>,
    /// Manifests and indexes, each after what it names; `top` is the last. Attachments are not
    /// among them, but what an attached index names is.
    pub documents: Vec<RawManifest>,
    /// Each after what it refers to.
    pub attachments: Vec<Attachment>,
    /// Configurations, layers, payloads: each once.
    pub blobs: Vec<Blob>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Whether it is large enough to tell people of: a layer.
    pub is_layer: bool,
}

impl Blob {
    /// The blob of a descriptor.
    #[must_use]
    pub fn new(descriptor: &Descriptor, is_layer: bool) -> Self {
        Self {
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            is_layer,
        }
    }
}

/// A document beside the image, and how it is found from there.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The document.
    pub manifest: RawManifest,
    /// How it is found.
    pub at: At,
}

/// How a document beside the image is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// By cosign's tag.
    Tag(String),
    /// By the subject that it names itself.
    Subject(Digest),
}
