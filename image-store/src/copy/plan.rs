//! What belongs to an image: every document, read and proven, and every blob by its descriptor.

use std::collections::{BTreeSet, HashMap};

use image_name::{Digest, Reference};

use super::attachments;
use crate::digest::sha256;
use crate::error::StoreError;
use crate::manifest::{Descriptor, Document, Platform};
use crate::media_type;
use crate::origin::{Limits, Origin, RawManifest};

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

/// Everything that belongs to an image.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the image is named by.
    pub(crate) top: RawManifest,
    /// The name that its place gives it.
    pub(crate) name: Option<Reference>,
    /// Manifests and indexes, each after what it names; `top` is the last. Attachments are not
    /// among them, but what an attached index names is.
    pub(crate) documents: Vec<RawManifest>,
    /// Each after what it refers to.
    pub(crate) attachments: Vec<Attachment>,
    /// Configurations, layers, payloads: each once.
    pub(crate) blobs: Vec<Blob>,
    /// What was left out.
    pub(crate) notes: Vec<String>,
}

impl Plan {
    /// Reads the documents of the image that `origin` names.
    ///
    /// # Errors
    /// What the origin says or what is wrong with a document; [`StoreError::NoPlatform`];
    /// [`StoreError::LimitExceeded`].
    pub(crate) fn make(
        origin: &mut dyn Origin,
        what: &str,
        wanted: &Wanted,
    ) -> Result<Self, StoreError> {
        let name = origin.name();
        let mut top = origin.top()?;
        let mut walk = Walk {
            origin,
            wanted,
            documents: Vec::new(),
            blobs: Vec::new(),
            sizes: HashMap::new(),
            seen: BTreeSet::new(),
            bytes: 0,
            notes: Vec::new(),
        };
        walk.prove(&top, None)?;
        if let Some(platform) = &wanted.platform {
            let document = Document::parse(what, &top.bytes, &top.media_type)?;
            if let Document::Index(index) = document {
                let member = index.pick(&format!("index of {what}"), platform)?;
                top = walk.origin.manifest(&member.digest)?;
                walk.prove(&top, Some(member))?;
            }
        }
        walk.take(&top, 0)?;
        let mut attached = Vec::new();
        if wanted.attachments {
            attached = attachments::collect(&mut walk)?;
        }
        let Walk {
            mut documents,
            blobs,
            notes,
            ..
        } = walk;
        // What attached indexes name goes before it all.
        if let Some(at) = documents.iter().position(|one| one.digest == top.digest) {
            let last = documents.remove(at);
            documents.push(last);
        }
        Ok(Self {
            top,
            name,
            documents,
            attachments: attached,
            blobs,
            notes,
        })
    }
}

impl Plan {
    /// What to know of a layout with this image, if anything.
    pub(crate) fn layout_note(&self) -> Option<String> {
        let is_docker = matches!(
            self.top.media_type.as_str(),
            media_type::DOCKER_MANIFEST | media_type::DOCKER_LIST
        );
        is_docker.then(|| {
            "the manifest is in Docker's format and stays so, for its digest: skopeo and podman \
             find it in a layout without a name only (oci:PATH), if nothing else is in it"
                .to_owned()
        })
    }
}

/// A plan that is being made.
pub(super) struct Walk<'a> {
    pub(super) origin: &'a mut dyn Origin,
    wanted: &'a Wanted,
    pub(super) documents: Vec<RawManifest>,
    blobs: Vec<Blob>,
    sizes: HashMap<Digest, u64>,
    seen: BTreeSet<String>,
    bytes: usize,
    notes: Vec<String>,
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
    fn take(&mut self, raw: &RawManifest, depth: usize) -> Result<(), StoreError> {
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
