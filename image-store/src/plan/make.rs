//! What belongs to an image: every document, read and proven, and every blob by its descriptor.

use image_name::{Digest, Reference};

use super::attachments;
use super::gathering::{Found, Gathering, Wanted};
use super::part::{Attachment, Blob};
use crate::error::StoreError;
use crate::media_type;
use crate::origin::{Origin, RawManifest};
use crate::walk::chain;

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
    /// [`ContentError::LimitExceeded`](image_layer::ContentError::LimitExceeded).
    pub(crate) fn make(
        origin: &mut dyn Origin,
        what: &str,
        wanted: &Wanted,
    ) -> Result<Self, StoreError> {
        let name = origin.name();
        let mut gathering = Gathering::new(origin, wanted);
        let found = &mut gathering.found;
        let top = found.origin.top()?;
        let mut top = found.prove(top, None)?;
        if let Some(platform) = &wanted.platform {
            let name = |kind: &str, _: &Digest| format!("{kind} of {what}");
            let chain = chain(top.clone(), platform, &name, &mut |member| {
                let raw = found.origin.manifest(&member.digest)?;
                found.prove(raw, Some(member))
            })?;
            top = chain.documents.into_iter().last().unwrap_or(top);
        }
        gathering.take(top.clone())?;
        let mut attached = Vec::new();
        if wanted.attachments {
            attached = attachments::collect(&mut gathering)?;
        }
        let Found {
            mut documents,
            blobs,
            notes,
            ..
        } = gathering.found;
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
