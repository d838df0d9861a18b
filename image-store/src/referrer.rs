//! Documents that refer to an image by its digest (OCI image-spec 1.1, `subject`), and among them
//! Sigstore bundles: signatures in the format of cosign 3 (sigstore: cosign `BUNDLE_SPEC.md`).
//!
//! What a place lists as a referrer is a hint: it counts only once the manifest itself names the
//! subject. One that is not what it should be is left out and noted, so that it doesn't hide others.
//! Of each subject the first [`MAX_SIGNATURES`] bundles count, in the order of the place, and
//! [`MAX_TOTAL`] bytes in all: who can write that many before a good one can hide it, and could
//! as well remove it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image_layer::{ContentError, sha256};
use image_name::Digest;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value, json};

use crate::cosign::MAX_SIGNATURES;
use crate::error::StoreError;
use crate::go_json;
use crate::manifest::{Descriptor, Document, Manifest};
use crate::media_type::{BUNDLE, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST};
use crate::origin::{Origin, RawManifest};
use crate::proven::small_blob;

/// Entries of a list of referrers that are looked at.
pub(crate) const MAX_LISTED: usize = 1000;

/// Bytes of one bundle; those with a scan result or a list of parts are the large ones.
pub(crate) const MAX_BUNDLE: u64 = 4 << 20;

/// Bytes of all bundles of one subject.
pub(crate) const MAX_TOTAL: u64 = 16 << 20;

/// Bytes of the manifest of a bundle, and of its configuration.
const MAX_MANIFEST: u64 = 64 << 10;

/// The content of the configuration of what needs none.
pub(crate) const EMPTY: &[u8] = b"{}";

/// A bundle with the manifest that makes it a referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Referrer {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    pub(crate) bundle: Vec<u8>,
}

/// The tag at which referrers of `subject` are listed where a registry has no API for it
/// (distribution-spec, "Referrers Tag Schema").
pub(crate) fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Whether `tag` is one of these.
pub(crate) fn is_tag(tag: &str) -> bool {
    tag.strip_prefix("sha256-")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads a list of referrers (an index). Entries that are no descriptors are left out.
pub(crate) fn parse_list(what: &str, bytes: &[u8]) -> Result<Vec<Descriptor>, StoreError> {
    let entries = entries(what, bytes)?;
    let parsed = entries.iter().take(MAX_LISTED);
    Ok(parsed.filter_map(Descriptor::parse).collect())
}

/// The little of an index that counts here.
#[derive(Deserialize)]
struct List {
    /// `null` where a registry written in Go has none.
    #[serde(default, deserialize_with = "if_there")]
    manifests: Option<Vec<Value>>,
}

/// Something also where it is `null`.
fn if_there<'de, D: Deserializer<'de>>(list: D) -> Result<Option<Vec<Value>>, D::Error> {
    Vec::deserialize(list).map(Some)
}

fn entries(what: &str, bytes: &[u8]) -> Result<Vec<Value>, StoreError> {
    let bad = |reason: String| StoreError::BadManifest {
        what: what.to_owned(),
        reason,
    };
    let index: List = go_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => bad(error.to_string()),
        _ => StoreError::NotJson {
            what: what.to_owned(),
            reason: error.to_string(),
        },
    })?;
    index
        .manifests
        .ok_or_else(|| bad("it is not an index".to_owned()))
}

/// The list at the tag, with `referrer` in it; `None` if it is there already.
///
/// # Errors
/// If `existing` is no index; it is left alone then.
pub(crate) fn add_to_list(
    existing: Option<&[u8]>,
    referrer: &RawManifest,
) -> Result<Option<Vec<u8>>, StoreError> {
    let what = "list of referrers";
    let mut list = match existing {
        Some(bytes) => entries(what, bytes)?,
        None => Vec::new(),
    };
    let own = |entry: &Value| {
        entry.get("digest").and_then(Value::as_str) == Some(referrer.digest.as_ref())
    };
    if list.iter().any(own) {
        return Ok(None);
    }
    if list.len() >= MAX_LISTED {
        return Err(StoreError::Content(ContentError::LimitExceeded {
            what: what.to_owned(),
            limit: format!("{MAX_LISTED} entries"),
        }));
    }
    list.push(list_entry(referrer)?);
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list });
    Ok(Some(to_bytes(&index)?))
}

/// What a list repeats of a referrer.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
    config: Option<ListedConfig>,
    annotations: Option<Value>,
}

#[derive(Deserialize)]
struct ListedConfig {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

/// What a list says of a referrer: its descriptor, with its type and its annotations.
pub(crate) fn list_entry(referrer: &RawManifest) -> Result<Value, StoreError> {
    let document: Listed =
        go_json::from_slice(&referrer.bytes).map_err(|error| StoreError::NotJson {
            what: format!("manifest {}", referrer.digest),
            reason: error.to_string(),
        })?;
    let mut entry = json!({
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.bytes.len(),
    });
    // Before 1.1, the type of the configuration was the type of the artifact.
    let artifact_type = document
        .artifact_type
        .or_else(|| document.config?.media_type);
    if let Some(members) = entry.as_object_mut() {
        if let Some(kind) = artifact_type {
            members.insert("artifactType".to_owned(), json!(kind));
        }
        if let Some(annotations) = document.annotations.filter(Value::is_object) {
            members.insert("annotations".to_owned(), annotations);
        }
    }
    Ok(entry)
}

/// Makes the manifest by which a bundle refers to `subject`, as cosign writes it. The same bundle
/// gives the same manifest.
pub(crate) fn of_bundle(subject: &RawManifest, bundle: &[u8]) -> Result<Referrer, StoreError> {
    let mut annotations = Map::new();
    // Hints for who lists referrers; nobody trusts them.
    if let Some(predicate) = predicate_type(bundle) {
        annotations.insert(
            "dev.sigstore.bundle.content".to_owned(),
            json!("dsse-envelope"),
        );
        annotations.insert(
            "dev.sigstore.bundle.predicateType".to_owned(),
            json!(predicate),
        );
    } else {
        annotations.insert(
            "dev.sigstore.bundle.content".to_owned(),
            json!("message-signature"),
        );
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": { "mediaType": OCI_EMPTY, "digest": sha256(EMPTY), "size": EMPTY.len() },
        "layers": [{ "mediaType": BUNDLE, "digest": sha256(bundle), "size": bundle.len() }],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": subject.bytes.len(),
        },
        "annotations": annotations,
    });
    Ok(Referrer {
        manifest: to_bytes(&manifest)?,
        config: EMPTY.to_vec(),
        bundle: bundle.to_vec(),
    })
}

/// What the statement in a bundle says that it is, if it can be read.
fn predicate_type(bundle: &[u8]) -> Option<String> {
    let bundle: Value = serde_json::from_slice(bundle).ok()?;
    let payload = bundle.get("dsseEnvelope")?.get("payload")?.as_str()?;
    let statement: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    let predicate = statement.get("predicateType")?.as_str()?;
    (predicate.len() <= 1024).then(|| predicate.to_owned())
}

/// What the origin has of bundles for `subject`, and why others don't count.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    pub(crate) found: Vec<Referrer>,
    pub(crate) notes: Vec<String>,
}

/// Gets the bundles that refer to `subject`.
///
/// # Errors
/// If the list can't be had, or the origin can't be reached any more.
pub(crate) fn bundles(origin: &mut dyn Origin, subject: &Digest) -> Result<Bundles, StoreError> {
    let mut bundles = Bundles::default();
    let listed = origin.referrers(subject, Some(BUNDLE))?;
    let mut candidates: Vec<&Descriptor> = Vec::new();
    for entry in &listed {
        if may_be_bundle(entry) && !candidates.iter().any(|known| known.digest == entry.digest) {
            candidates.push(entry);
        }
    }
    let mut total = 0;
    for (number, entry) in candidates.iter().enumerate() {
        if number >= MAX_SIGNATURES {
            let limit = format!("{MAX_SIGNATURES} are looked at");
            bundles.note(subject, &format!("of {} only {limit}", candidates.len()));
            break;
        }
        match one(origin, subject, entry, MAX_TOTAL - total) {
            Ok(Some(referrer)) => {
                total += referrer.bundle.len() as u64;
                bundles.found.push(referrer);
            }
            Ok(None) => {}
            Err(
                error @ (StoreError::Network { .. }
                | StoreError::Content(ContentError::Io { .. })
                | StoreError::PlainHttpRefused { .. }),
            ) => return Err(error),
            Err(error) => bundles.note(subject, &error.to_string()),
        }
    }
    Ok(bundles)
}

/// Whether an entry of a list may name a bundle. Lists that tools write, where a registry has no API for
/// it, tell no type, or with cosign that of the empty configuration: then the manifest tells.
fn may_be_bundle(entry: &Descriptor) -> bool {
    let kind = entry.artifact_type.as_deref();
    kind.is_none_or(|kind| kind == BUNDLE || kind == OCI_EMPTY)
}

impl Bundles {
    fn note(&mut self, subject: &Digest, reason: &str) {
        const SHOWN: usize = 8;
        if self.notes.len() < SHOWN {
            let note = format!("signature bundle of {subject} left out: {reason}");
            self.notes.push(note);
        }
    }
}

/// Gets one; `None` if it is something else than a bundle.
fn one(
    origin: &mut dyn Origin,
    subject: &Digest,
    entry: &Descriptor,
    room: u64,
) -> Result<Option<Referrer>, StoreError> {
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
        return Ok(None);
    };
    let Some(layer) = bundle_layer(&what, &manifest, subject)? else {
        return Ok(None);
    };
    check_size(&what, manifest.config.size, MAX_MANIFEST)?;
    check_size(&what, layer.size, MAX_BUNDLE.min(room))?;
    let config = match manifest.config.digest == sha256(EMPTY) {
        true => EMPTY.to_vec(),
        false => small_blob(origin, &manifest.config, &what, MAX_MANIFEST)?,
    };
    let bundle = small_blob(origin, layer, &what, MAX_BUNDLE)?;
    Ok(Some(Referrer {
        manifest: raw.bytes,
        config,
        bundle,
    }))
}

/// The bundle that a manifest holds; `None` if it is of another kind.
fn bundle_layer<'a>(
    what: &str,
    manifest: &'a Manifest,
    subject: &Digest,
) -> Result<Option<&'a Descriptor>, StoreError> {
    let bad = |reason: String| StoreError::BadManifest {
        what: what.to_owned(),
        reason,
    };
    let kind = manifest.artifact_type.as_deref();
    if kind.unwrap_or(&manifest.config.media_type) != BUNDLE {
        return Ok(None);
    }
    match &manifest.subject {
        Some(own) if **own == *subject => {}
        Some(own) => return Err(bad(format!("its subject is {own}"))),
        None => return Err(bad("it has no subject".to_owned())),
    }
    match manifest.layers.as_slice() {
        [layer] if layer.media_type == BUNDLE => Ok(Some(layer)),
        [layer] => Err(bad(format!("its layer is of type {:?}", layer.media_type))),
        layers => Err(bad(format!(
            "it has {} layers instead of one",
            layers.len()
        ))),
    }
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

fn to_bytes(value: &Value) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::NotJson {
        what: "referrer".to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
