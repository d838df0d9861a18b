//! The signatures that come with an image.

use image_layer::Limits;
use image_name::Digest;

use crate::error::StoreError;
use crate::manifest::Document;
use crate::origin::Origin;
use crate::proven::{checked, small_blob};
use crate::referrer;
use crate::store::{Found, MAX_PAYLOAD, Signature, signed_layers};

/// What an origin has in favour of one manifest or index.
#[derive(Debug, Default)]
pub(crate) struct LookUp {
    pub(crate) found: Found,
    /// What was left out, a line each.
    pub(crate) notes: Vec<String>,
    /// Where the origin gave an odd answer, a line each: what it has there is not known.
    pub(crate) unanswered: Vec<String>,
}

/// Asks an origin for all signatures of one manifest or index. Registries answer such questions in many
/// ways; whatever they say instead of an answer, no signature is known from there, and the verdict decides.
///
/// # Errors
/// If the origin can't be reached any more.
pub(crate) fn look_up(
    origin: &mut dyn Origin,
    subject: &Digest,
    limits: &Limits,
) -> Result<LookUp, StoreError> {
    let mut looked = LookUp::default();
    match signatures_of(origin, subject, limits) {
        Ok(found) => looked.found = found,
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    match referrer::bundles(origin, subject) {
        Ok(bundles) => {
            looked.found.bundles = bundles.found;
            looked.notes = bundles.notes;
        }
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    Ok(looked)
}

/// An odd answer in words; any other error is one.
fn odd(error: StoreError) -> Result<String, StoreError> {
    match error.is_odd_answer() {
        true => Ok(error.to_string()),
        false => Err(error),
    }
}

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
