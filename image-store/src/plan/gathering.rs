//! Going through all that an image names: what belongs to it is taken once.

use std::collections::HashMap;

use image_document::{Blob, Descriptor, DocumentError, Index, Manifest, Platform, RawManifest};
use image_layer::{ContentError, Limits};
use image_name::Digest;

use crate::error::StoreError;
use crate::origin::Origin;
use crate::proven::checked;
use crate::walk::{Bounds, Visitor, Walk};

/// Notes that are kept.
const MAX_NOTES: usize = 16;

/// What of an image is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// One platform of an index.
    pub(crate) platform: Option<Platform>,
    /// Signatures, and whatever else refers to the image.
    pub(crate) attachments: bool,
    /// Whether an index may go without members that its place hasn't.
    pub(crate) sparse: bool,
    pub(crate) limits: Limits,
}

/// A plan that is being made.
pub(super) struct Gathering<'a> {
    walk: Walk,
    pub(super) found: Found<'a>,
}

/// What was found so far, and where more is.
pub(super) struct Found<'a> {
    pub(super) origin: &'a mut dyn Origin,
    pub(super) wanted: &'a Wanted,
    pub(super) documents: Vec<RawManifest>,
    pub(super) blobs: Vec<Blob>,
    sizes: HashMap<Digest, u64>,
    pub(super) notes: Vec<String>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(origin: &'a mut dyn Origin, wanted: &'a Wanted) -> Self {
        Self {
            walk: Walk::new(Bounds::WHOLE),
            found: Found {
                origin,
                wanted,
                documents: Vec::new(),
                blobs: Vec::new(),
                sizes: HashMap::new(),
                notes: Vec::new(),
            },
        }
    }

    /// Takes up a document and all that it names.
    pub(super) fn take(&mut self, raw: RawManifest) -> Result<(), StoreError> {
        self.walk.through(raw, &mut self.found).map(drop)
    }

    /// Takes up what an attachment names, but not itself: it is kept with how it is found.
    pub(super) fn take_below(&mut self, raw: &RawManifest) -> Result<(), StoreError> {
        if self.walk.through(raw.clone(), &mut self.found)? {
            // It was left last.
            self.found.documents.pop();
        }
        Ok(())
    }
}

impl Found<'_> {
    /// Checks that a document is what it was asked for as, and within the limits.
    pub(super) fn prove(
        &self,
        raw: RawManifest,
        wanted: Option<&Descriptor>,
    ) -> Result<RawManifest, StoreError> {
        let what = format!("manifest {}", raw.digest);
        checked(raw, &what, wanted, &self.wanted.limits)
    }

    fn blob(&mut self, descriptor: &Descriptor, is_layer: bool) -> Result<(), StoreError> {
        let limit = self.wanted.limits.layer;
        if descriptor.size > limit {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what: format!("blob {} ({} bytes)", descriptor.digest, descriptor.size),
                limit: format!("{limit} bytes"),
            }));
        }
        match self
            .sizes
            .insert(descriptor.digest.clone(), descriptor.size)
        {
            Some(known) if known != descriptor.size => {
                Err(StoreError::Content(ContentError::SizeMismatch {
                    what: format!("blob {}", descriptor.digest),
                    expected: known,
                    found: descriptor.size,
                }))
            }
            Some(_) => Ok(()),
            None => {
                self.blobs.push(Blob::new(descriptor, is_layer));
                Ok(())
            }
        }
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        }
    }
}

impl Visitor for Found<'_> {
    fn members<'i>(
        &mut self,
        digest: &Digest,
        index: &'i Index,
    ) -> Result<Vec<&'i Descriptor>, StoreError> {
        let mut members = Vec::with_capacity(index.members.len());
        for member in &index.members {
            if self.origin.has_manifest(&member.digest)? {
                members.push(member);
            } else if !self.wanted.sparse {
                let platform = member.platform.as_ref();
                return Err(StoreError::Document(DocumentError::BadManifest {
                    what: format!("index {digest}"),
                    reason: format!(
                        "it is not complete here: {} {} is missing; choose a platform that is here",
                        platform.map_or("its member".to_owned(), Platform::to_string),
                        member.digest
                    ),
                }));
            }
        }
        match index.members.first() {
            Some(first) if members.is_empty() => Err(StoreError::Missing {
                what: format!("every member of index {digest}, such as"),
                digest: first.digest.clone(),
            }),
            _ => Ok(members),
        }
    }

    fn read(&mut self, member: &Descriptor) -> Result<RawManifest, StoreError> {
        let raw = self.origin.manifest(&member.digest)?;
        self.prove(raw, Some(member))
    }

    fn manifest(&mut self, digest: &Digest, manifest: Manifest) -> Result<(), StoreError> {
        self.blob(&manifest.config, false)?;
        let is_image = manifest.check_image(&format!("manifest {digest}")).is_ok();
        let mut layers = manifest.layers.iter();
        layers.try_for_each(|one| self.blob(one, is_image))
    }

    fn leave(&mut self, raw: RawManifest) {
        self.documents.push(raw);
    }
}
