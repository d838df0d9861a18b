//! The signature manifest that cosign keeps at the tag `sha256-HEX.sig` (cosign:
//! SIGNATURE_SPEC.md): an image whose layers are the signed payloads, each with its signature as an
//! annotation.

use image_layer::sha256;
use image_name::Digest;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::DocumentError;
use crate::media_type;

/// The annotation that holds the signature, in base64.
pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Signatures of one image in each format; more than that is no use but to fill memory.
pub const MAX_SIGNATURES: usize = 128;

/// What signatures are called that cosign 2 keeps as referrers, in the form of its tag.
pub const SIGNATURE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// The same of attestations.
pub const ATTESTATION_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.att.v1+json";

/// Both.
pub const ARTIFACTS: [&str; 2] = [SIGNATURE_ARTIFACT, ATTESTATION_ARTIFACT];

/// The kinds of documents that cosign keeps beside an image, each at a tag of its own.
pub const KINDS: [&str; 3] = ["sig", "att", "sbom"];

/// The tag at which cosign keeps a kind of document about `subject`.
#[must_use]
pub fn tag(subject: &Digest, kind: &str) -> String {
    format!("sha256-{}.{kind}", subject.hex())
}

/// Whether cosign keeps something about an image at `tag`.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    tag.strip_prefix("sha256-")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(hex, kind)| hex.len() == 64 && KINDS.contains(&kind))
}

/// The subject of the signatures at `tag`, if it is such a tag.
#[must_use]
pub fn signed_by_tag(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?.strip_suffix(".sig")?;
    Digest::parse(&format!("sha256:{hex}")).ok()
}

/// A signature manifest with one more signature in it.
pub struct SignatureManifest {
    /// The manifest, an OCI image manifest.
    pub manifest: Vec<u8>,
    /// The configuration that it names.
    pub config: Vec<u8>,
}

/// Appends a signature to `existing`, or begins a new manifest. `None` if it is in there already.
///
/// # Errors
/// If `existing` is no manifest of the kind; it is left alone then.
pub fn append(
    existing: Option<&[u8]>,
    payload: &[u8],
    signature: &str,
) -> Result<Option<SignatureManifest>, DocumentError> {
    let layer = json!({
        "mediaType": media_type::SIMPLE_SIGNING,
        "digest": sha256(payload),
        "size": payload.len(),
        "annotations": { SIGNATURE: signature },
    });
    with_layers(existing, vec![layer])
}

/// Puts what `new`, a manifest of the same kind, has into `existing`. `None` if it is all there
/// already.
///
/// # Errors
/// As [`append`].
pub fn merge(existing: &[u8], new: &[u8]) -> Result<Option<SignatureManifest>, DocumentError> {
    match parse(new)?.remove("layers") {
        Some(Value::Array(layers)) => with_layers(Some(existing), layers),
        _ => Err(bad("it has no layers")),
    }
}

fn with_layers(
    existing: Option<&[u8]>,
    new: Vec<Value>,
) -> Result<Option<SignatureManifest>, DocumentError> {
    let mut manifest = match existing {
        Some(bytes) => parse(bytes)?,
        None => Map::from_iter([
            ("schemaVersion".to_owned(), json!(2)),
            ("mediaType".to_owned(), json!(media_type::OCI_MANIFEST)),
        ]),
    };
    let mut layers = match manifest.remove("layers") {
        Some(Value::Array(layers)) => layers,
        None if existing.is_none() => Vec::new(),
        _ => return Err(bad("it has no layers")),
    };
    let before = layers.len();
    for layer in new {
        if layers.iter().any(|known| is_same(known, &layer)) {
            continue;
        }
        if layers.len() >= MAX_SIGNATURES {
            return Err(bad(&format!(
                "it holds {MAX_SIGNATURES} signatures already"
            )));
        }
        layers.push(layer);
    }
    if layers.len() == before {
        return Ok(None);
    }
    let config = config(&layers)?;
    manifest.insert(
        "config".to_owned(),
        json!({
            "mediaType": media_type::OCI_CONFIG,
            "digest": sha256(&config),
            "size": config.len(),
        }),
    );
    manifest.insert("layers".to_owned(), Value::Array(layers));
    Ok(Some(SignatureManifest {
        manifest: bytes(&Value::Object(manifest))?,
        config,
    }))
}

/// What an attestation is written as, in a layer of what is at the tag `sha256-HEX.att`.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

/// The bundles that an envelope (DSSE) stands for: one for each signature, which tells of no key. They are
/// judged like others; nothing is verified here.
///
/// # Errors
/// If it is no envelope.
pub fn bundles_of(what: &str, envelope: &[u8]) -> Result<Vec<Vec<u8>>, DocumentError> {
    let not_json = |error: serde_json::Error| DocumentError::NotJson {
        what: what.to_owned(),
        reason: error.to_string(),
    };
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(not_json)?;
    let signatures = envelope.signatures.iter().take(MAX_SIGNATURES);
    let bundles = signatures.map(|signature| {
        let bundle = json!({
            "mediaType": media_type::BUNDLE,
            "verificationMaterial": { "publicKey": {} },
            "dsseEnvelope": {
                "payload": envelope.payload,
                "payloadType": envelope.payload_type,
                "signatures": [{ "sig": signature.sig }],
            },
        });
        bytes(&bundle)
    });
    bundles.collect()
}

/// Whether two layers are one signature over one payload.
fn is_same(one: &Value, other: &Value) -> bool {
    let signature = |layer: &Value| {
        let annotations = layer.get("annotations")?;
        annotations.get(SIGNATURE)?.as_str().map(str::to_owned)
    };
    one.get("digest") == other.get("digest") && signature(one) == signature(other)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, DocumentError> {
    let manifest: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| DocumentError::NotJson {
            what: "signature manifest".to_owned(),
            reason: error.to_string(),
        })?;
    if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2)
        || manifest.contains_key("manifests")
    {
        return Err(bad("it is not an image manifest"));
    }
    Ok(manifest)
}

/// The configuration as cosign writes it: nothing but the list of the payloads.
fn config(layers: &[Value]) -> Result<Vec<u8>, DocumentError> {
    let digests: Result<Vec<Digest>, DocumentError> = layers
        .iter()
        .map(|layer| {
            let digest = layer.get("digest").and_then(Value::as_str);
            Ok(Digest::parse(
                digest.ok_or_else(|| bad("a layer has no digest"))?,
            )?)
        })
        .collect();
    bytes(&json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests? },
    }))
}

fn bytes(value: &Value) -> Result<Vec<u8>, DocumentError> {
    serde_json::to_vec(value).map_err(|error| bad(&error.to_string()))
}

fn bad(reason: &str) -> DocumentError {
    DocumentError::BadManifest {
        what: "signature manifest".to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_accumulate_once_each() {
        let first = append(None, b"payload", "c2ln").unwrap().unwrap();
        assert!(
            append(Some(&first.manifest), b"payload", "c2ln")
                .unwrap()
                .is_none()
        );
        let second = append(Some(&first.manifest), b"payload", "b3RoZXI=")
            .unwrap()
            .unwrap();
        let value: Value = serde_json::from_slice(&second.manifest).unwrap();
        let layers = value["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2);
        assert_eq!(layers[0]["mediaType"], media_type::SIMPLE_SIGNING);
        assert_eq!(layers[0]["digest"], sha256(b"payload").to_string());
        assert_eq!(layers[1]["annotations"][SIGNATURE], "b3RoZXI=");
        assert_eq!(
            value["config"]["digest"],
            sha256(&second.config).to_string()
        );
        let config: Value = serde_json::from_slice(&second.config).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn members_of_others_are_kept() {
        let existing = format!(
            r#"{{"schemaVersion":2,"annotations":{{"a":"b"}},"layers":[{{"digest":"{}","x":1}}]}}"#,
            sha256(b"other")
        );
        let appended = append(Some(existing.as_bytes()), b"p", "s")
            .unwrap()
            .unwrap();
        let value: Value = serde_json::from_slice(&appended.manifest).unwrap();
        assert_eq!(value["annotations"]["a"], "b");
        assert_eq!(value["layers"][0]["x"], 1);
    }

    #[test]
    fn what_is_no_signature_manifest_is_left_alone() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":1,"layers":[]}"#,
            r#"{"schemaVersion":2,"layers":{}}"#,
            r#"{"schemaVersion":2,"layers":[{}]}"#,
            r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#,
        ] {
            assert!(
                append(Some(bad.as_bytes()), b"p", "s").is_err(),
                "accepted {bad}"
            );
        }
    }
}
