//! From the document that names an image to all that it names: each read once, and proven.

use std::collections::{BTreeSet, HashMap};

use image_name::Digest;

use super::part::Blob;
use crate::digest::sha256;
use crate::error::StoreError;
use crate::limits::Limits;
use crate::manifest::{Descriptor, Document, Platform};
use crate::origin::{Origin, RawManifest};

/// Indexes within indexes.
const MAX_DEPTH: usize = 3;

/// Documents of one image, attachments among them, and their bytes in all.
const MAX_DOCUMENTS: usize = 2000;
const MAX_BYTES: usize = 128 << 20;

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
pub(super) struct Walk<'a> {
    pub(super) origin: &'a mut dyn Origin,
    pub(super) wanted: &'a Wanted,
    pub(super) documents: Vec<RawManifest>,
    pub(super) blobs: Vec<Blob>,
    pub(super) sizes: HashMap<Digest, u64>,
    pub(super) seen: BTreeSet<String>,
    pub(super) bytes: usize,
    pub(super) notes: Vec<String>,
}

impl Walk<'_> {
    /// Checks that a document is what it was asked for as, and within the limits.
    pub(super) fn prove(
        &self,
        raw: &RawManifest,
        wanted: Option<&Descriptor>,
    ) -> Result<(), StoreError> {
        let what = format!("manifest {}", raw.digest);
        let limit = self.wanted.limits.manifest;
        if raw.bytes.len() as u64 > limit {
            return Err(StoreError::LimitExceeded {
                what,
                limit: format!("{limit} bytes"),
            });
        }
        let found = sha256(&raw.bytes);
        let expected = wanted.map_or(&raw.digest, |descriptor| &descriptor.digest);
        if found != *expected || found != raw.digest {
            return Err(StoreError::DigestMismatch {
                what,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
        match wanted {
            Some(wanted) if wanted.size != raw.bytes.len() as u64 => {
                Err(StoreError::SizeMismatch {
                    what,
                    expected: wanted.size,
                    found: raw.bytes.len() as u64,
                })
            }
            _ => Ok(()),
        }
    }

    /// Takes up a document and all that it names.
    pub(super) fn take(&mut self, raw: &RawManifest, depth: usize) -> Result<(), StoreError> {
        if self.parts(raw, depth)? {
            self.documents.push(raw.clone());
        }
        Ok(())
    }

    /// Takes up what a document names; `false` if it was there before.
    pub(super) fn parts(&mut self, raw: &RawManifest, depth: usize) -> Result<bool, StoreError> {
        if !self.seen.insert(raw.digest.to_string()) {
            return Ok(false);
        }
        self.bytes = self.bytes.saturating_add(raw.bytes.len());
        if self.seen.len() > MAX_DOCUMENTS || self.bytes > MAX_BYTES {
            return Err(StoreError::LimitExceeded {
                what: "number or size of the image's documents".to_owned(),
                limit: format!("{MAX_DOCUMENTS} documents and {MAX_BYTES} bytes"),
            });
        }
        let what = format!("manifest {}", raw.digest);
        match Document::parse(&what, &raw.bytes, &raw.media_type)? {
            Document::Index(_) if depth >= MAX_DEPTH => Err(StoreError::LimitExceeded {
                what: format!("{what}: indexes within indexes"),
                limit: MAX_DEPTH.to_string(),
            }),
            Document::Index(index) => self.members(raw, &index.members, depth),
            Document::Manifest(manifest) => {
                self.blob(&manifest.config, false)?;
                let is_image = manifest.check_image(&what).is_ok();
                let mut layers = manifest.layers.iter();
                layers.try_for_each(|one| self.blob(one, is_image))
            }
        }?;
        Ok(true)
    }

    fn members(
        &mut self,
        raw: &RawManifest,
        members: &[Descriptor],
        depth: usize,
    ) -> Result<(), StoreError> {
        let mut any = false;
        for member in members {
            if !self.origin.has_manifest(&member.digest)? {
                if !self.wanted.sparse {
                    let platform = member.platform.as_ref();
                    return Err(StoreError::BadManifest {
                        what: format!("index {}", raw.digest),
                        reason: format!(
                            "it is not complete here: {} {} is missing; choose a platform that is here",
                            platform.map_or("its member".to_owned(), Platform::to_string),
                            member.digest
                        ),
                    });
                }
                continue;
            }
            any = true;
            let document = self.origin.manifest(&member.digest)?;
            self.prove(&document, Some(member))?;
            self.take(&document, depth + 1)?;
        }
        match members.first() {
            Some(first) if !any => Err(StoreError::Missing {
                what: format!("every member of index {}, such as", raw.digest),
                digest: first.digest.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn blob(&mut self, descriptor: &Descriptor, is_layer: bool) -> Result<(), StoreError> {
        let limit = self.wanted.limits.layer;
        if descriptor.size > limit {
            return Err(StoreError::LimitExceeded {
                what: format!("blob {} ({} bytes)", descriptor.digest, descriptor.size),
                limit: format!("{limit} bytes"),
            });
        }
        match self
            .sizes
            .insert(descriptor.digest.clone(), descriptor.size)
        {
            Some(known) if known != descriptor.size => Err(StoreError::SizeMismatch {
                what: format!("blob {}", descriptor.digest),
                expected: known,
                found: descriptor.size,
            }),
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
