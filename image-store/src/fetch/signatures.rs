//! The signatures that come with an image.

use image_document::media_type::DSSE_ENVELOPE;
use image_document::referrer;
use image_document::{Descriptor, Document, DocumentError, Manifest, RawManifest, cosign};
use image_layer::{ContentError, Limits};
use image_name::Digest;

use crate::error::StoreError;
use crate::options::WantedBundles;
use crate::origin::Origin;
use crate::proven::{checked, small_blob};
use crate::referring::referring;
use crate::store::{Found, MAX_PAYLOAD, Signature, signed_layers};

/// What cosign says of an envelope in a manifest at its tag: what the statement is. A hint.
const ENVELOPE_PREDICATE_TYPE: &str = "predicateType";

/// What an origin has in favour of one manifest or index.
#[derive(Debug, Default)]
pub(crate) struct LookUp {
    pub(crate) found: Found,
    /// What was left out, a line each.
    pub(crate) notes: Vec<String>,
    /// Where the origin gave an odd answer, a line each: what it has there is not known.
    pub(crate) unanswered: Vec<String>,
}

/// Asks an origin for all signatures of one manifest or index, and for statements about it, of which
/// those that are wanted come first. Registries answer such questions in many ways;
/// whatever they say instead of an answer, no signature is known from there, and the verdict decides.
///
/// # Errors
/// If the origin can't be reached any more.
pub(crate) fn look_up(
    origin: &mut dyn Origin,
    subject: &RawManifest,
    limits: &Limits,
    wanted: &WantedBundles,
) -> Result<LookUp, StoreError> {
    let mut looked = LookUp::default();
    match signatures_of(origin, &subject.digest, limits) {
        Ok(found) => looked.found = found,
        Err(error) => looked.unanswered.push(odd(error)?),
    }
    let mut tagged = Vec::new();
    match referring(origin, &subject.digest, wanted) {
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
        match take(origin, subject, manifest, wanted, &mut looked) {
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
    wanted: &WantedBundles,
    looked: &mut LookUp,
) -> Result<(), StoreError> {
    let found = &mut looked.found;
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
    let matters = |layer: &&Descriptor| {
        let kind = layer.annotations.get(ENVELOPE_PREDICATE_TYPE);
        kind.is_none_or(|kind| wanted.predicate_types.contains(kind))
    };
    // The last is the newest: cosign appends.
    let (first, then): (Vec<_>, Vec<_>) = envelopes.rev().partition(matters);
    for layer in first.into_iter().chain(then).take(wanted.limits.count) {
        let taken = found.bundles.iter().map(|one| one.bundle.len() as u64);
        let room = wanted.limits.total.saturating_sub(taken.sum());
        let envelope = match small_blob(origin, layer, &what, wanted.limits.size.min(room)) {
            Err(error @ StoreError::Content(ContentError::LimitExceeded { .. })) => {
                looked.unanswered.push(error.to_string());
                continue;
            }
            other => other?,
        };
        for bundle in cosign::bundles_of(&what, &envelope)? {
            if found.bundles.iter().all(|one| one.bundle != bundle) {
                found.bundles.push(referrer::of_bundle(subject, &bundle)?);
            }
        }
    }
    Ok(())
}
