//! How an image is.

use std::collections::BTreeMap;

use serde_json::json;

use super::find::find;
use super::stored::Stored;
use super::told::told;
use crate::api::{ImageStatusRequest, ImageStatusResponse};
use crate::error::CriError;
use crate::shim::Shim;

/// How an image is. One that is not there is no error.
pub(crate) fn status(
    shim: &Shim,
    request: ImageStatusRequest,
) -> Result<ImageStatusResponse, CriError> {
    let spec = request.image.unwrap_or_default();
    if spec.image.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    let found = find(shim, &spec.image)?;
    // A kubelet pulls it again.
    let Some(stored) = found.filter(|stored| !stored.facts.is_damaged()) else {
        return Ok(ImageStatusResponse::default());
    };
    let info = match request.verbose {
        true => information(shim, &stored)?,
        false => BTreeMap::new(),
    };
    Ok(ImageStatusResponse {
        image: Some(told(&stored, &shim.settings.pinned_images)),
        info,
    })
}

/// What only people look at.
fn information(shim: &Shim, stored: &Stored) -> Result<BTreeMap<String, String>, CriError> {
    let Some(image) = stored.image(&shim.engine.store()) else {
        return Ok(BTreeMap::new());
    };
    let layers: Vec<_> = image.layers().iter().map(|layer| &layer.diff_id).collect();
    let info = json!({
        "names": stored.names,
        "manifest": image.manifest_digest().to_string(),
        "layers": layers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "imageSpec": image.config(),
    });
    let text = serde_json::to_string(&info);
    let text = text.map_err(|error| CriError::Internal(error.to_string()))?;
    Ok(BTreeMap::from([("info".to_owned(), text)]))
}
