//! What belongs to an image without being named by it: cosign's tags, and what refers to it.

use image_document::{At, Attachment, Descriptor, Document, DocumentError, RawManifest, cosign};
use image_layer::ContentError;
use image_name::Digest;
use image_registry::RegistryError;

use super::gathering::Gathering;
use crate::error::StoreError;

/// Attachments of one image, and referrers of referrers in a row.
const MAX_ATTACHMENTS: usize = 1000;
const MAX_DEPTH: usize = 4;

/// Finds the attachments of all documents of the image, and what refers to those.
pub(super) fn collect(gathering: &mut Gathering<'_>) -> Result<Vec<Attachment>, StoreError> {
    let mut found: Vec<Attachment> = Vec::new();
    let documents = gathering.found.documents.iter();
    let subjects: Vec<Digest> = documents.map(|one| one.digest.clone()).collect();
    for subject in &subjects {
        for kind in cosign::KINDS {
            let tag = cosign::tag(subject, kind);
            let tagged = gathering.found.origin.tagged(&tag);
            if let Some(manifest) = or_note(gathering, &format!("what is at tag {tag}"), tagged)? {
                let manifest = gathering.found.prove(manifest, None)?;
                // One manifest may stand at several tags.
                gathering.take_below(&manifest)?;
                let at = At::Tag(tag);
                found.push(Attachment { manifest, at });
            }
        }
    }
    // Referrers of referrers, level by level; a walk in a circle ends, as each is taken once.
    let mut level = subjects;
    for depth in 0..=MAX_DEPTH {
        let mut next = Vec::new();
        for subject in &level {
            let listed = gathering.found.origin.referrers(subject, None).map(Some);
            let listed = or_note(gathering, &format!("what refers to {subject}"), listed)?;
            for entry in listed.unwrap_or_default() {
                let known = found.iter().any(|one| one.manifest.digest == entry.digest);
                if known || level.contains(&entry.digest) {
                    continue;
                }
                if found.len() >= MAX_ATTACHMENTS || depth == MAX_DEPTH {
                    return Err(too_many(subject));
                }
                match referrer(gathering, subject, &entry) {
                    Ok(manifest) => {
                        next.push(manifest.digest.clone());
                        let at = At::Subject(subject.clone());
                        found.push(Attachment { manifest, at });
                    }
                    Err(
                        error @ (StoreError::Registry(RegistryError::Network { .. })
                        | StoreError::Content(ContentError::Io { .. })),
                    ) => return Err(error),
                    // Anybody can list anything as a referrer; what is none is no part of the image.
                    Err(error) => gathering
                        .found
                        .note(format!("referrer of {subject} left out: {error}")),
                }
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    Ok(found)
}

/// What a place has, or a note of its odd answer: a registry that has no such list or tag may say anything.
fn or_note<T>(
    gathering: &mut Gathering<'_>,
    what: &str,
    found: Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match found {
        Err(error) if error.is_odd_answer() => {
            gathering
                .found
                .note(format!("{what} is not known: {error}"));
            Ok(None)
        }
        found => found,
    }
}

/// Reads one and checks that it refers to `subject` indeed.
fn referrer(
    gathering: &mut Gathering<'_>,
    subject: &Digest,
    entry: &Descriptor,
) -> Result<RawManifest, StoreError> {
    let manifest = gathering.found.origin.manifest(&entry.digest)?;
    let manifest = gathering.found.prove(manifest, None)?;
    let what = format!("referrer {}", entry.digest);
    let bad = |reason: String| {
        StoreError::Document(DocumentError::BadManifest {
            what: what.clone(),
            reason,
        })
    };
    if manifest.digest != entry.digest {
        return Err(bad(format!("it has digest {}", manifest.digest)));
    }
    let own = match Document::parse(&what, &manifest.bytes, &manifest.media_type)? {
        Document::Manifest(manifest) => manifest.subject.map(|own| *own),
        Document::Index(index) => index.subject,
    };
    match own {
        Some(own) if own == *subject => {}
        Some(own) => return Err(bad(format!("its subject is {own}"))),
        None => return Err(bad("it has no subject".to_owned())),
    }
    gathering.take_below(&manifest)?;
    Ok(manifest)
}

fn too_many(subject: &Digest) -> StoreError {
    StoreError::Content(ContentError::LimitExceeded {
        what: format!("number of artifacts that refer to {subject}, or their depth"),
        limit: format!(
            "{MAX_ATTACHMENTS} artifacts and {MAX_DEPTH} levels; copy without signatures"
        ),
    })
}
