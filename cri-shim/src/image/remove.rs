//! Removing images.

use super::find::{by_name, find};
use crate::api::{RemoveImageRequest, RemoveImageResponse};
use crate::error::CriError;
use crate::shim::Shim;

/// Removes an image with all of its names, by any of them. One that is gone is as wanted. What containers use of it stays
/// on the disk as long as they do.
pub(crate) fn remove(
    shim: &Shim,
    request: RemoveImageRequest,
) -> Result<RemoveImageResponse, CriError> {
    let spec = request.image.unwrap_or_default();
    if spec.image.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    let names = match find(shim, &spec.image)? {
        Some(stored) => stored.names,
        // Damaged: it has this name, if nothing else.
        None => by_name(shim, &spec.image)?.into_iter().collect(),
    };
    let store = shim.engine.store();
    for name in &names {
        store.remove(&name.reference).map_err(engine::Error::from)?;
    }
    if !names.is_empty() {
        shim.collector.ask(&shim.engine);
    }
    Ok(RemoveImageResponse {})
}
