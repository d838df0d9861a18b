//! From document to document, each once and within bounds.

use std::collections::BTreeSet;

use image_document::{Descriptor, Document, Index, Manifest, RawManifest};
use image_layer::ContentError;
use image_name::Digest;

use crate::error::StoreError;

/// How far a walk goes. How large one document may be is checked by who reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Members of members: 1 is an index of manifests.
    pub(super) depth: usize,
    pub(super) documents: usize,
    /// Bytes of all documents.
    pub(super) bytes: usize,
}

impl Bounds {
    /// A manifest, or an index and one of its members, which may be an index again.
    pub(crate) const ONE_PLATFORM: Self = Self {
        depth: 3,
        documents: 4,
        bytes: 128 << 20,
    };

    /// All that belongs to an image, attachments among it.
    pub(crate) const WHOLE: Self = Self {
        depth: 3,
        documents: 2000,
        bytes: 128 << 20,
    };
}

/// Who goes along, reads the documents, and takes what it is there for.
pub(crate) trait Visitor {
    /// What a document is called in messages; `kind` is `manifest` or `index`.
    fn name(&self, kind: &str, digest: &Digest) -> String {
        format!("{kind} {digest}")
    }

    /// The members of an index to go to, in this order.
    fn members<'i>(
        &mut self,
        digest: &Digest,
        index: &'i Index,
    ) -> Result<Vec<&'i Descriptor>, StoreError>;

    /// Reads a member and proves that it has the digest by which it is named.
    fn read(&mut self, member: &Descriptor) -> Result<RawManifest, StoreError>;

    /// Takes what a manifest names.
    fn manifest(&mut self, digest: &Digest, manifest: Manifest) -> Result<(), StoreError>;

    /// Takes a document, after all that it leads to.
    fn leave(&mut self, raw: RawManifest);
}

/// A walk, or several with common bounds. No document is gone through twice.
#[derive(Debug)]
pub(crate) struct Walk {
    bounds: Bounds,
    seen: BTreeSet<Digest>,
    bytes: usize,
}

impl Walk {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            seen: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Goes through a document, which was proven, and all below it that the visitor wants; `false`
    /// if the walk has been there before.
    ///
    /// # Errors
    /// [`ContentError::LimitExceeded`] beyond the bounds, what is wrong with a document, and what the
    /// visitor says.
    pub(crate) fn through(
        &mut self,
        top: RawManifest,
        visitor: &mut impl Visitor,
    ) -> Result<bool, StoreError> {
        self.at(top, 0, visitor)
    }

    fn at(
        &mut self,
        raw: RawManifest,
        level: usize,
        visitor: &mut impl Visitor,
    ) -> Result<bool, StoreError> {
        if !self.seen.insert(raw.digest.clone()) {
            return Ok(false);
        }
        self.bytes = self.bytes.saturating_add(raw.bytes.len());
        let Bounds {
            depth,
            documents,
            bytes,
        } = self.bounds;
        if self.seen.len() > documents || self.bytes > bytes {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what: "number or size of the image's documents".to_owned(),
                limit: format!("{documents} documents and {bytes} bytes"),
            }));
        }
        let what = visitor.name("manifest", &raw.digest);
        match Document::parse(&what, &raw.bytes, &raw.media_type)? {
            Document::Manifest(manifest) => visitor.manifest(&raw.digest, manifest)?,
            Document::Index(_) if level >= depth => {
                return Err(StoreError::Content(ContentError::LimitExceeded {
                    what: format!("{what}: depth of indexes within indexes"),
                    limit: depth.to_string(),
                }));
            }
            Document::Index(index) => {
                for member in visitor.members(&raw.digest, &index)? {
                    let document = visitor.read(member)?;
                    self.at(document, level + 1, visitor)?;
                }
            }
        }
        visitor.leave(raw);
        Ok(true)
    }
}
