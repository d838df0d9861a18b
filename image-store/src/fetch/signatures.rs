//! The signatures that come with an image.

use image_layer::Limits;
use image_name::Digest;

use crate::error::StoreError;
use crate::manifest::Document;
use crate::origin::Origin;
use crate::proven::{checked, small_blob};
use crate::store::{Found, MAX_PAYLOAD, Signature, signed_layers};

/// The signatures in cosign's tag format that the origin has for one manifest or index.
pub(crate) fn signatures_of(
    origin: &mut dyn Origin,
    subject: &Digest,
    limits: &Limits,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(raw) = origin.signature_manifest(subject)? else {
        return Ok(found);
    };
    let what = format!("signatures of {subject}");
    let raw = checked(raw, &what, None, limits)?;
    let Document::Manifest(manifest) = Document::parse(&what, &raw.bytes, &raw.media_type)? else {
        return Err(StoreError::BadManifest {
            what,
            reason: "it is an index".to_owned(),
        });
    };
    for (layer, signature) in signed_layers(&manifest) {
        let payload = small_blob(origin, &layer, &what, MAX_PAYLOAD)?;
        found.simple.push(Signature { payload, signature });
    }
    // Kept as it is, with its certificates and whatever else, where all of it can be kept.
    if found.simple.len() == manifest.layers.len() && manifest.config.size <= MAX_PAYLOAD {
        let config = small_blob(origin, &manifest.config, &what, MAX_PAYLOAD)?;
        found.manifest = Some((raw.bytes, config));
    }
    Ok(found)
}
