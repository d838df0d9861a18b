//! What belongs to an image: every document, read and proven, and every blob by its descriptor.

use std::collections::{BTreeSet, HashMap};

use image_name::Reference;

use super::attachments;
use super::part::{Attachment, Blob};
use super::walk::{Walk, Wanted};
use crate::error::StoreError;
use crate::manifest::Document;
use crate::media_type;
use crate::origin::{Origin, RawManifest};

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
