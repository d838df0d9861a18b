//! The signature manifest that cosign keeps at the tag `sha256-HEX.sig` (cosign:
//! SIGNATURE_SPEC.md): an image whose layers are the signed payloads, each with its signature as an
//! annotation.

use oci_spec::image::Digest;
use serde_json::{Map, Value, json};

use crate::digest::{parse_digest, sha256};
use crate::error::StoreError;
use crate::media_type;

/// The annotation that holds the signature, in base64.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Signatures of one image; more than that is no use but to fill memory.
const MAX_SIGNATURES: usize = 1000;

/// A signature manifest with one more signature in it.
pub(crate) struct SignatureManifest {
    /// The manifest, an OCI image manifest.
    pub(crate) manifest: Vec<u8>,
    /// The configuration that it names.
    pub(crate) config: Vec<u8>,
}

/// Appends a signature to `existing`, or begins a new manifest. `None` if it is in there already.
///
/// # Errors
/// If `existing` is no manifest of the kind; it is left alone then.
pub(crate) fn append(
    existing: Option<&[u8]>,
    payload: &[u8],
    signature: &str,
) -> Result<Option<SignatureManifest>, StoreError> {
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
    let digest = sha256(payload);
    let is_same = |layer: &Value| {
        layer.get("digest").and_then(Value::as_str) == Some(digest.as_ref())
            && layer
                .get("annotations")
                .and_then(|all| all.get(SIGNATURE)?.as_str())
                == Some(signature)
    };
    if layers.iter().any(is_same) {
        return Ok(None);
    }
    if layers.len() >= MAX_SIGNATURES {
        return Err(bad("it holds 1000 signatures already"));
    }
    layers.push(json!({
        "mediaType": media_type::SIMPLE_SIGNING,
        "digest": digest,
        "size": payload.len(),
        "annotations": { SIGNATURE: signature },
    }));
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

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, StoreError> {
    let manifest: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| StoreError::NotJson {
            what: "signature manifest".to_owned(),
            reason: error.to_string(),
        })?;
    if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2)
        || manifest.contains_key("manifests")
    {
        return Err(bad("it is no image manifest"));
    }
    Ok(manifest)
}

/// The configuration as cosign writes it: nothing but the list of the payloads.
fn config(layers: &[Value]) -> Result<Vec<u8>, StoreError> {
    let digests: Result<Vec<Digest>, StoreError> = layers
        .iter()
        .map(|layer| {
            let digest = layer.get("digest").and_then(Value::as_str);
            parse_digest(digest.ok_or_else(|| bad("a layer has no digest"))?)
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

fn bytes(value: &Value) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| bad(&error.to_string()))
}

fn bad(reason: &str) -> StoreError {
    StoreError::BadManifest {
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
