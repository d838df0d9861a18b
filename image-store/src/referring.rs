//! What refers to an image in its favour: Sigstore bundles, and what cosign 2 kept as a referrer in the
//! form of its tags.
//!
//! Of each subject so many count, and so many bytes in all, as the settings say. Who can write that many could as
//! well remove a good one; but whoever scans every day shall not hide it, so what may matter comes
//! first, and of everything else each kind in turn, the newest first. Which key made a bundle only the
//! bundle itself tells: one that names another key than those that are trusted keeps its place only as
//! long as nobody else needs it.

use std::collections::HashSet;

use image_document::media_type::{BUNDLE, OCI_EMPTY};
use image_document::referrer::{BundleLimits, EMPTY, MAX_LISTED, PREDICATE_TYPE, Referrer};
use image_document::{Descriptor, Document, DocumentError, Manifest, cosign};
use image_layer::{ContentError, sha256};
use image_name::Digest;
use image_registry::RegistryError;
use serde::Deserialize;

use crate::error::StoreError;
use crate::options::WantedBundles;
use crate::origin::Origin;
use crate::proven::small_blob;

/// Bytes of the manifest of a referrer, and of its configuration.
const MAX_MANIFEST: u64 = 64 << 10;

/// Bytes of bundles that are read to find those that count, as a multiple of what may count.
const READ_FOR_ONE: u64 = 4;

/// When a referrer was made, by what its maker says.
const CREATED: &str = "org.opencontainers.image.created";

/// The predicate type of what is a signature.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// What the origin has in favour of a subject, and why other things don't count.
#[derive(Debug, Default)]
pub(crate) struct Referring {
    pub(crate) bundles: Vec<Referrer>,
    /// cosign's manifests of signatures and of attestations, as at its tags.
    pub(crate) tagged: Vec<Manifest>,
    pub(crate) notes: Vec<String>,
    /// What is not known for reaching a limit.
    pub(crate) over: Vec<String>,
}

/// Gets what refers to `subject`, of which what is wanted comes first.
///
/// # Errors
/// If the list can't be had, or the origin can't be reached any more.
pub(crate) fn referring(
    origin: &mut dyn Origin,
    subject: &Digest,
    wanted: &WantedBundles,
) -> Result<Referring, StoreError> {
    let mut referring = Referring::default();
    let mut listed = origin.referrers(subject, None)?;
    if listed.len() >= MAX_LISTED {
        // What is of other kinds must not hide them.
        for kind in [
            BUNDLE,
            cosign::SIGNATURE_ARTIFACT,
            cosign::ATTESTATION_ARTIFACT,
        ] {
            listed.extend(origin.referrers(subject, Some(kind))?);
        }
    }
    let candidates = in_order(&listed, &wanted.predicate_types);
    let limits = wanted.limits;
    let mut pool = Pool::new(limits);
    let mut read = 0;
    // Where other keys' bundles can be told, more are read than count.
    let (most, most_bytes) = match wanted.key_hints.is_empty() {
        true => (limits.count, u64::MAX),
        false => (MAX_LISTED, limits.total.saturating_mul(READ_FOR_ONE)),
    };
    for (number, entry) in candidates.iter().enumerate() {
        if number >= most || read >= most_bytes || pool.is_full() {
            let over = format!("of {} only {number} are looked at", candidates.len());
            referring.over(subject, &over);
            break;
        }
        match one(origin, subject, entry, limits.size.min(pool.room())) {
            Ok(One::Bundle(referrer)) => {
                read += referrer.bundle.len() as u64;
                let may_matter = may_be_by(&referrer.bundle, &wanted.key_hints);
                pool.add(referrer, may_matter);
            }
            Ok(One::Tagged(manifest)) => referring.tagged.push(manifest),
            Ok(One::Other) => {}
            Err(
                error @ (StoreError::Registry(RegistryError::Network { .. })
                | StoreError::Content(ContentError::Io { .. })
                | StoreError::Registry(RegistryError::PlainHttpRefused { .. })),
            ) => return Err(error),
            Err(error @ StoreError::Content(ContentError::LimitExceeded { .. })) => {
                referring.over(subject, &error.to_string());
            }
            Err(error) => referring.note(subject, &error.to_string()),
        }
    }
    referring.bundles = pool.into_bundles();
    Ok(referring)
}

/// The bundles that were found, within their number and their bytes: those that may matter, and others
/// where there is room.
struct Pool {
    limits: BundleLimits,
    matter: Vec<Referrer>,
    others: Vec<Referrer>,
    /// Bytes of both.
    matter_bytes: u64,
    other_bytes: u64,
}

impl Pool {
    fn new(limits: BundleLimits) -> Self {
        Self {
            limits,
            matter: Vec::new(),
            others: Vec::new(),
            matter_bytes: 0,
            other_bytes: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.matter.len() >= self.limits.count
    }

    /// Bytes that the next one may have: others would make way.
    fn room(&self) -> u64 {
        self.limits.total.saturating_sub(self.matter_bytes)
    }

    fn add(&mut self, referrer: Referrer, may_matter: bool) {
        let size = referrer.bundle.len() as u64;
        match may_matter {
            true => {
                self.matter_bytes += size;
                self.matter.push(referrer);
            }
            false => {
                self.other_bytes += size;
                self.others.push(referrer);
            }
        }
        while self.matter_bytes + self.other_bytes > self.limits.total
            || self.matter.len() + self.others.len() > self.limits.count
        {
            let Some(last) = self.others.pop() else {
                break;
            };
            self.other_bytes -= last.bundle.len() as u64;
        }
    }

    fn into_bundles(self) -> Vec<Referrer> {
        let mut bundles = self.matter;
        bundles.extend(self.others);
        bundles
    }
}

/// The little of a bundle that tells whose it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hinted {
    verification_material: Option<HintedMaterial>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HintedMaterial {
    public_key: Option<HintedKey>,
}

#[derive(Deserialize)]
struct HintedKey {
    hint: Option<String>,
}

/// Whether a bundle may be by one of the keys that are called this: it names none, or one of them.
fn may_be_by(bundle: &[u8], hints: &[String]) -> bool {
    if hints.is_empty() {
        return true;
    }
    let hinted: Option<Hinted> = serde_json::from_slice(bundle).ok();
    let key = hinted.and_then(|own| own.verification_material?.public_key?.hint);
    match key {
        Some(hint) if !hint.is_empty() => hints.contains(&hint),
        _ => true,
    }
}

/// The entries of a list that may count, each once: signatures, what tells nothing of itself, and
/// statements of `types`; then the others.
fn in_order<'a>(listed: &'a [Descriptor], types: &[String]) -> Vec<&'a Descriptor> {
    let mut known = HashSet::new();
    // Of each kind those that are listed, in the order in which the kinds first appear.
    let mut kinds: Vec<(&str, Vec<&Descriptor>)> = Vec::new();
    for entry in listed {
        if !may_count(entry) || !known.insert(&entry.digest) {
            continue;
        }
        let kind = entry.annotations.get(PREDICATE_TYPE);
        let kind = kind.map_or(SIGNATURE, String::as_str);
        match kinds.iter_mut().find(|(own, _)| *own == kind) {
            Some((_, entries)) => entries.push(entry),
            None => kinds.push((kind, vec![entry])),
        }
    }
    for (_, entries) in &mut kinds {
        // Stable: what tells no time stays in its order, behind what does.
        entries.sort_by(|a, b| b.annotations.get(CREATED).cmp(&a.annotations.get(CREATED)));
    }
    let matters = |kind: &str| kind == SIGNATURE || types.iter().any(|one| one == kind);
    let (first, then): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|(kind, _)| matters(kind));
    let mut ordered = in_turn(first);
    ordered.extend(in_turn(then));
    ordered
}

/// One of each kind, then the next of each.
fn in_turn<'a>(kinds: Vec<(&str, Vec<&'a Descriptor>)>) -> Vec<&'a Descriptor> {
    let most = kinds.iter().map(|(_, entries)| entries.len()).max();
    (0..most.unwrap_or_default())
        .flat_map(|turn| {
            kinds
                .iter()
                .filter_map(move |(_, entries)| entries.get(turn))
        })
        .copied()
        .collect()
}

/// Whether an entry of a list may name what counts. Lists that tools write, where a registry has no API for
/// it, tell no type, or with cosign that of the empty configuration: then the manifest tells.
fn may_count(entry: &Descriptor) -> bool {
    entry
        .artifact_type
        .as_deref()
        .is_none_or(|kind| kind == BUNDLE || kind == OCI_EMPTY || cosign::ARTIFACTS.contains(&kind))
}

impl Referring {
    fn note(&mut self, subject: &Digest, reason: &str) {
        const SHOWN: usize = 8;
        if self.notes.len() < SHOWN {
            let note = format!("signature bundle of {subject} left out: {reason}");
            self.notes.push(note);
        }
    }

    fn over(&mut self, subject: &Digest, reason: &str) {
        const SHOWN: usize = 8;
        self.note(subject, reason);
        if self.over.len() < SHOWN {
            self.over.push(reason.to_owned());
        }
    }
}

/// What one referrer is.
enum One {
    Bundle(Referrer),
    Tagged(Manifest),
    Other,
}

fn one(
    origin: &mut dyn Origin,
    subject: &Digest,
    entry: &Descriptor,
    most: u64,
) -> Result<One, StoreError> {
    let what = format!("referrer {}", entry.digest);
    check_size(&what, entry.size, MAX_MANIFEST)?;
    let raw = origin.manifest(&entry.digest)?;
    check_size(&what, raw.bytes.len() as u64, MAX_MANIFEST)?;
    let found = sha256(&raw.bytes);
    if found != entry.digest {
        return Err(StoreError::Content(ContentError::DigestMismatch {
            what,
            expected: entry.digest.to_string(),
            found: found.to_string(),
        }));
    }
    let Document::Manifest(manifest) = Document::parse(&what, &raw.bytes, &raw.media_type)? else {
        return Ok(One::Other);
    };
    let kind = manifest.artifact_type.as_deref();
    let kind = kind.unwrap_or(&manifest.config.media_type);
    if kind != BUNDLE && !cosign::ARTIFACTS.contains(&kind) {
        return Ok(One::Other);
    }
    let bad = |reason: String| {
        StoreError::Document(DocumentError::BadManifest {
            what: what.clone(),
            reason,
        })
    };
    match &manifest.subject {
        Some(own) if **own == *subject => {}
        Some(own) => return Err(bad(format!("its subject is {own}"))),
        None => return Err(bad("it has no subject".to_owned())),
    }
    if kind != BUNDLE {
        return Ok(One::Tagged(manifest));
    }
    let layer = match manifest.layers.as_slice() {
        [layer] if layer.media_type == BUNDLE => layer,
        [layer] => return Err(bad(format!("its layer is of type {:?}", layer.media_type))),
        layers => {
            return Err(bad(format!(
                "it has {} layers instead of one",
                layers.len()
            )));
        }
    };
    check_size(&what, manifest.config.size, MAX_MANIFEST)?;
    check_size(&what, layer.size, most)?;
    let config = match manifest.config.digest == sha256(EMPTY) {
        true => EMPTY.to_vec(),
        false => small_blob(origin, &manifest.config, &what, MAX_MANIFEST)?,
    };
    let bundle = small_blob(origin, layer, &what, most)?;
    Ok(One::Bundle(Referrer {
        manifest: raw.bytes,
        config,
        bundle,
    }))
}

fn check_size(what: &str, size: u64, limit: u64) -> Result<(), StoreError> {
    if size <= limit {
        return Ok(());
    }
    Err(StoreError::Content(ContentError::LimitExceeded {
        what: format!("{what} ({size} bytes)"),
        limit: format!("{limit} bytes"),
    }))
}

#[cfg(test)]
mod tests;
