//! The signatures that come with an image.

use image_document::media_type::DSSE_ENVELOPE;
use image_document::referrer::{self, MAX_BUNDLE, MAX_BUNDLES, MAX_TOTAL};
use image_document::{Document, DocumentError, Manifest, RawManifest, cosign};
use image_layer::Limits;
use image_name::Digest;

use crate::error::StoreError;
use crate::origin::Origin;
use crate::proven::{checked, small_blob};
use crate::referring::referring;
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

/// Asks an origin for all signatures of one manifest or index, and for statements about it; of these,
/// those whose predicate types are `types` matter most. Registries answer such questions in many ways;
/// whatever they say instead of an answer, no signature is known from there, and the verdict decides.
///
/// # Errors
/// If the origin can't be reached any more.
pub(crate) fn look_up(
    origin: &mut dyn Origin,
    subject: &RawManifest,
    limits: &Limits,
    types: &[String],
) -> Result<LookUp, StoreError> {
    let mut looked = LookUp::default();
    match signatures_of(origin, &subject.digest, limits) {
        Ok(found) => looked.found = found,
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    let mut tagged = Vec::new();
    match referring(origin, &subject.digest, types) {
        Ok(referring) => {
            looked.found.bundles = referring.bundles;
            looked.notes = referring.notes;
            looked.unanswered.extend(referring.over);
            tagged = referring.tagged;
        }
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    match attestations_at_tag(origin, &subject.digest, limits) {
        Ok(manifest) => tagged.extend(manifest),
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    for manifest in &tagged {
        match take(origin, subject, manifest, &mut looked.found) {
            Ok(()) => {}
            Err(error) => looked.unanswered.push(odd(error)?),
        }
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
fn signatures_of(
    origin: &mut dyn Origin,
    subject: &Digest,
    limits: &Limits,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(raw) = origin.signature_manifest(subject)? else {
        return Ok(found);
    };
    let what = format!("signatures of {subject}");
    let (raw, manifest) = image_manifest(raw, &what, limits)?;
    take_simple(origin, &manifest, &what, &mut found.simple)?;
    // Kept as it is, with its certificates and whatever else, where all of it can be kept.
    if found.simple.len() == manifest.layers.len() && manifest.config.size <= MAX_PAYLOAD {
        let config = small_blob(origin, &manifest.config, &what, MAX_PAYLOAD)?;
        found.manifest = Some((raw.bytes, config));
    }
    Ok(found)
}

/// The manifest of the attestations that cosign keeps at a tag of their own.
fn attestations_at_tag(
    origin: &mut dyn Origin,
    subject: &Digest,
    limits: &Limits,
) -> Result<Option<Manifest>, StoreError> {
    let Some(raw) = origin.tagged(&cosign::tag(subject, "att"))? else {
        return Ok(None);
    };
    let what = format!("attestations of {subject}");
    image_manifest(raw, &what, limits).map(|(_, manifest)| Some(manifest))
}

fn image_manifest(
    raw: RawManifest,
    what: &str,
    limits: &Limits,
) -> Result<(RawManifest, Manifest), StoreError> {
    let raw = checked(raw, what, None, limits)?;
    match Document::parse(what, &raw.bytes, &raw.media_type)? {
        Document::Manifest(manifest) => Ok((raw, manifest)),
        Document::Index(_) => Err(StoreError::Document(DocumentError::BadManifest {
            what: what.to_owned(),
            reason: "it is an index".to_owned(),
        })),
    }
}

fn take_simple(
    origin: &mut dyn Origin,
    manifest: &Manifest,
    what: &str,
    simple: &mut Vec<Signature>,
) -> Result<(), StoreError> {
    for (layer, signature) in signed_layers(manifest) {
        let payload = small_blob(origin, &layer, what, MAX_PAYLOAD)?;
        let signature = Signature { payload, signature };
        if !simple.contains(&signature) {
            simple.push(signature);
        }
    }
    Ok(())
}

/// Takes the signatures and statements that are in one of cosign's manifests. Each statement becomes a
/// bundle: the form in which all are judged and kept.
fn take(
    origin: &mut dyn Origin,
    subject: &RawManifest,
    manifest: &Manifest,
    found: &mut Found,
) -> Result<(), StoreError> {
    let what = format!("signatures of {}", subject.digest);
    let before = found.simple.len();
    take_simple(origin, manifest, &what, &mut found.simple)?;
    if found.simple.len() != before {
        // The manifest at the tag does not have these.
        found.manifest = None;
    }
    let what = format!("attestations of {}", subject.digest);
    let envelopes = manifest
        .layers
        .iter()
        .filter(|layer| layer.media_type == DSSE_ENVELOPE);
    for layer in envelopes.take(MAX_BUNDLES) {
        let taken = found.bundles.iter().map(|one| one.bundle.len() as u64);
        let room = MAX_TOTAL.saturating_sub(taken.sum());
        let envelope = small_blob(origin, layer, &what, MAX_BUNDLE.min(room))?;
        for bundle in cosign::bundles_of(&what, &envelope)? {
            if found.bundles.iter().all(|one| one.bundle != bundle) {
                found.bundles.push(referrer::of_bundle(subject, &bundle)?);
            }
        }
    }
    Ok(())
}
