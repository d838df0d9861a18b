//! What belongs to an image: every document, read and proven, and every blob by its descriptor.

use image_document::{Plan, media_type};
use image_name::Digest;

use super::attachments;
use super::gathering::{Found, Gathering, Wanted};
use crate::error::StoreError;
use crate::origin::Origin;
use crate::walk::chain;

/// Reads the documents of the image that `origin` names.
///
/// # Errors
/// What the origin says or what is wrong with a document; [`NoPlatform`](image_document::DocumentError::NoPlatform);
/// [`ContentError::LimitExceeded`](image_layer::ContentError::LimitExceeded).
pub(crate) fn make(
    origin: &mut dyn Origin,
    what: &str,
    wanted: &Wanted,
) -> Result<Plan, StoreError> {
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
    Ok(Plan {
        top,
        name,
        documents,
        attachments: attached,
        blobs,
        notes,
    })
}

/// Whether the manifest or index is in Docker's format.
pub(crate) fn is_docker(plan: &Plan) -> bool {
    matches!(
        plan.top.media_type.as_str(),
        media_type::DOCKER_MANIFEST | media_type::DOCKER_LIST
    )
}

/// What to know of a layout with this image, if anything.
pub(crate) fn layout_note(plan: &Plan) -> Option<String> {
    is_docker(plan).then(|| {
        "the manifest is in Docker's format and stays so, for its digest: skopeo and podman \
         find it in a layout without a name only (oci:PATH), if nothing else is in it"
            .to_owned()
    })
}
