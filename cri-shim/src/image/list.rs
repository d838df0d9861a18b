//! All images.

use super::find::find;
use super::stored::all;
use super::told::told;
use crate::api::{ImageFilter, ListImagesRequest, ListImagesResponse};
use crate::error::CriError;
use crate::shim::Shim;

/// The images of the store, or the one that a filter names.
pub(crate) fn list(
    shim: &Shim,
    request: ListImagesRequest,
) -> Result<ListImagesResponse, CriError> {
    let mut stored = match wanted(request.filter.as_ref()) {
        None => all(shim)?,
        Some(text) => find(shim, text)?.into_iter().collect(),
    };
    // A kubelet pulls those again.
    stored.retain(|stored| !stored.facts.is_damaged());
    let pinned = &shim.settings.pinned_images;
    Ok(ListImagesResponse {
        images: stored.iter().map(|stored| told(stored, pinned)).collect(),
    })
}

/// What a filter names; nothing is everything.
fn wanted(filter: Option<&ImageFilter>) -> Option<&str> {
    let text = filter?.image.as_ref()?.image.as_str();
    (!text.is_empty()).then_some(text)
}
