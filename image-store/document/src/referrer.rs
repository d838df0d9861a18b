//! Documents that refer to an image by its digest (OCI image-spec 1.1, `subject`), and among them
//! Sigstore bundles: signatures in the format of cosign 3 (sigstore: cosign `BUNDLE_SPEC.md`).
//!
//! What a place lists as a referrer is a hint: it counts only once the manifest itself names the
//! subject. One that is not what it should be is left out and noted, so that it doesn't hide others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image_layer::{ContentError, sha256};
use image_name::Digest;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value, json};

use crate::error::DocumentError;
use crate::go_json;
use crate::manifest::Descriptor;
use crate::media_type::{BUNDLE, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST};
use crate::raw_manifest::RawManifest;

/// Entries of a list of referrers that are looked at.
pub const MAX_LISTED: usize = 1000;

/// Bundles of one subject that count, whatever the settings say.
pub const MAX_BUNDLES: usize = 1024;

/// Bytes of one bundle, whatever the settings say.
pub const MAX_BUNDLE: u64 = 64 << 20;

/// Bytes of all bundles of one subject, whatever the settings say.
pub const MAX_TOTAL: u64 = 512 << 20;

/// How much is taken of what refers to one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// Bundles, [`MAX_BUNDLES`] at most.
    pub count: usize,
    /// Bytes of one bundle, [`MAX_BUNDLE`] at most; those with a scan result or a list of parts are the
    /// large ones.
    pub size: u64,
    /// Bytes of all bundles, [`MAX_TOTAL`] at most.
    pub total: u64,
}

impl BundleLimits {
    /// As much as any settings let be taken.
    pub const MOST: Self = Self {
        count: MAX_BUNDLES,
        size: MAX_BUNDLE,
        total: MAX_TOTAL,
    };
}

impl Default for BundleLimits {
    fn default() -> Self {
        Self {
            count: 256,
            size: 16 << 20,
            total: 64 << 20,
        }
    }
}

/// What a list may tell of a bundle: what the statement in it is. A hint.
pub const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";

/// The content of the configuration of what needs none.
pub const EMPTY: &[u8] = b"{}";

/// A bundle with the manifest that makes it a referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The manifest, an OCI image manifest.
    pub manifest: Vec<u8>,
    /// The configuration that it names.
    pub config: Vec<u8>,
    /// The bundle that it names.
    pub bundle: Vec<u8>,
}

/// The tag at which referrers of `subject` are listed where a registry has no API for it
/// (distribution-spec, "Referrers Tag Schema").
#[must_use]
pub fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Whether `tag` is one of these.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    tag.strip_prefix("sha256-")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads a list of referrers (an index). Entries that are no descriptors are left out.
pub fn parse_list(what: &str, bytes: &[u8]) -> Result<Vec<Descriptor>, DocumentError> {
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

fn entries(what: &str, bytes: &[u8]) -> Result<Vec<Value>, DocumentError> {
    let bad = |reason: String| DocumentError::BadManifest {
        what: what.to_owned(),
        reason,
    };
    let index: List = go_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => bad(error.to_string()),
        _ => DocumentError::NotJson {
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
pub fn add_to_list(
    existing: Option<&[u8]>,
    referrer: &RawManifest,
) -> Result<Option<Vec<u8>>, DocumentError> {
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
        return Err(DocumentError::Content(ContentError::LimitExceeded {
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
pub fn list_entry(referrer: &RawManifest) -> Result<Value, DocumentError> {
    let document: Listed =
        go_json::from_slice(&referrer.bytes).map_err(|error| DocumentError::NotJson {
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
pub fn of_bundle(subject: &RawManifest, bundle: &[u8]) -> Result<Referrer, DocumentError> {
    let mut annotations = Map::new();
    // Hints for who lists referrers; nobody trusts them.
    if let Some(predicate) = predicate_type(bundle) {
        annotations.insert(
            "dev.sigstore.bundle.content".to_owned(),
            json!("dsse-envelope"),
        );
        annotations.insert(PREDICATE_TYPE.to_owned(), json!(predicate));
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
#[must_use]
pub fn predicate_type(bundle: &[u8]) -> Option<String> {
    let bundle: Value = serde_json::from_slice(bundle).ok()?;
    let payload = bundle.get("dsseEnvelope")?.get("payload")?.as_str()?;
    let statement: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    let predicate = statement.get("predicateType")?.as_str()?;
    (predicate.len() <= 1024).then(|| predicate.to_owned())
}

fn to_bytes(value: &Value) -> Result<Vec<u8>, DocumentError> {
    serde_json::to_vec(value).map_err(|error| DocumentError::NotJson {
        what: "referrer".to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
