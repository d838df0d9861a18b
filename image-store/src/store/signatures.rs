//! Signatures: cosign's manifest for an image and the Sigstore bundles that refer to it, kept like
//! other blobs and found by the digest that they are about.
//!
//! The record `signatures/sha256-HEX` names them. A start reads that one file and what it names,
//! and nothing where there is none.

use std::fs;
use std::io::ErrorKind;

use image_document::cosign::{self, MAX_SIGNATURES};
use image_document::media_type::SIMPLE_SIGNING;
use image_document::referrer::MAX_BUNDLES;
use image_document::{Descriptor, Document, DocumentError, Manifest};
use image_layer::Limits;
use image_name::Digest;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::StoreError;

/// Bytes of one signed payload.
pub(crate) const MAX_PAYLOAD: u64 = 64 << 10;

/// Version of the record; readers refuse later ones. Version 1 was the bare digest of cosign's
/// manifest, which is still read.
const VERSION: u32 = 2;

/// One signature of an image in cosign's tag format, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The signed bytes (simple signing JSON).
    pub payload: Vec<u8>,
    /// The signature over them, in base64 as cosign annotates it.
    pub signature: String,
}

/// What is known of an index or manifest, in both formats; nothing of it is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureSet {
    /// Signatures in cosign's tag format.
    pub simple: Vec<Signature>,
    /// Sigstore bundles, the JSON as it was signed or fetched.
    pub bundles: Vec<Vec<u8>>,
}

impl SignatureSet {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.simple.is_empty() && self.bundles.is_empty()
    }

    /// How many there are, in both forms.
    #[must_use]
    pub fn len(&self) -> usize {
        self.simple.len() + self.bundles.len()
    }

    /// Takes over what `other` has and this hasn't.
    pub fn merge(&mut self, other: Self) {
        for signature in other.simple {
            if !self.simple.contains(&signature) {
                self.simple.push(signature);
            }
        }
        for bundle in other.bundles {
            if !self.bundles.contains(&bundle) {
                self.bundles.push(bundle);
            }
        }
    }
}

/// The record of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignatureRecord {
    /// cosign's manifest.
    pub(crate) simple: Option<Digest>,
    pub(crate) bundles: Vec<BundleRecord>,
}

/// A bundle of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BundleRecord {
    /// The manifest that refers to the subject.
    pub(crate) manifest: Digest,
    pub(crate) config: Digest,
    pub(crate) bundle: Digest,
    /// What the statement in it is, if that is on record.
    pub(crate) predicate_type: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    simple: Option<String>,
    #[serde(default)]
    bundles: Vec<StoredBundle>,
}

#[derive(Serialize, Deserialize)]
struct StoredBundle {
    manifest: String,
    config: String,
    bundle: String,
    #[serde(
        rename = "predicate-type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    predicate_type: Option<String>,
}

impl SignatureRecord {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let bundles = self.bundles.iter().map(|one| StoredBundle {
            manifest: one.manifest.to_string(),
            config: one.config.to_string(),
            bundle: one.bundle.to_string(),
            predicate_type: one.predicate_type.clone(),
        });
        let stored = Stored {
            version: VERSION,
            simple: self.simple.as_ref().map(Digest::to_string),
            bundles: bundles.collect(),
        };
        // Strings and numbers always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let digest = |text: &str| Digest::parse(text).map_err(|error| error.to_string());
        if bytes.starts_with(b"sha256:") {
            let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
            return Ok(Self {
                simple: Some(digest(text.trim_end())?),
                bundles: Vec::new(),
            });
        }
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| format!("it can't be read: {error}"))?;
        if stored.version > VERSION {
            let version = stored.version;
            return Err(format!(
                "it is of version {version}, made by a later fairing"
            ));
        }
        let bundles = stored.bundles.iter().take(MAX_BUNDLES).map(|one| {
            Ok(BundleRecord {
                manifest: digest(&one.manifest)?,
                config: digest(&one.config)?,
                bundle: digest(&one.bundle)?,
                predicate_type: one.predicate_type.clone(),
            })
        });
        Ok(Self {
            simple: stored.simple.as_deref().map(digest).transpose()?,
            bundles: bundles.collect::<Result<_, String>>()?,
        })
    }
}

/// The signed payloads that a signature manifest names, with their signatures: the first
/// [`MAX_SIGNATURES`] that are within their limits.
pub(crate) fn signed_layers(manifest: &Manifest) -> Vec<(Descriptor, String)> {
    let signed = manifest.layers.iter().filter_map(|layer| {
        // Other kinds may come to be; they are no signatures.
        let signature = layer.annotations.get(cosign::SIGNATURE)?;
        let fits = layer.media_type == SIMPLE_SIGNING
            && layer.size <= MAX_PAYLOAD
            && signature.len() as u64 <= MAX_PAYLOAD;
        fits.then(|| (layer.clone(), signature.clone()))
    });
    signed.take(MAX_SIGNATURES).collect()
}

impl Store {
    /// The signatures that the store has for a manifest or index, none if there are none. They are
    /// hashed as they are read, and not verified.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] for what is not as it was stored.
    pub fn signatures(&self, subject: &Digest) -> Result<SignatureSet, StoreError> {
        self.signatures_that_matter(subject, &|_| true)
    }

    /// As [`Store::signatures`], without the statements of types that don't matter, which may be large:
    /// they are not read. Those whose type isn't on record are.
    ///
    /// # Errors
    /// As [`Store::signatures`].
    pub fn signatures_that_matter(
        &self,
        subject: &Digest,
        matters: &dyn Fn(&str) -> bool,
    ) -> Result<SignatureSet, StoreError> {
        let mut set = SignatureSet::default();
        let Some(record) = self.signature_record(subject)? else {
            return Ok(set);
        };
        if let Some(simple) = &record.simple {
            let (_, manifest) = self.simple_manifest(simple)?;
            for (layer, signature) in signed_layers(&manifest) {
                let payload = self.read_blob("signed payload", &layer.digest, MAX_PAYLOAD)?;
                set.simple.push(Signature { payload, signature });
            }
        }
        let mut room = self.bundle_limits.total;
        for one in &record.bundles {
            if one
                .predicate_type
                .as_deref()
                .is_some_and(|kind| !matters(kind))
            {
                continue;
            }
            let limit = self.bundle_limits.size.min(room);
            let bundle = self.read_blob("signature bundle", &one.bundle, limit)?;
            room -= bundle.len() as u64;
            set.bundles.push(bundle);
        }
        Ok(set)
    }

    /// What is on record for a subject.
    pub(crate) fn signature_record(
        &self,
        subject: &Digest,
    ) -> Result<Option<SignatureRecord>, StoreError> {
        let path = self.signature_record_path(subject);
        match fs::read(&path) {
            Ok(bytes) => SignatureRecord::parse(&bytes)
                .map(Some)
                .map_err(|reason| StoreError::Damaged { path, reason }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("cannot read", &path, error)),
        }
    }

    /// cosign's manifest of a record, as bytes and parsed.
    pub(super) fn simple_manifest(
        &self,
        digest: &Digest,
    ) -> Result<(Vec<u8>, Manifest), StoreError> {
        let bytes = self.read_blob("signature manifest", digest, Limits::default().manifest)?;
        let what = format!("signature manifest {digest}");
        match Document::parse(&what, &bytes, "")? {
            Document::Manifest(manifest) => Ok((bytes, manifest)),
            Document::Index(_) => Err(StoreError::Document(DocumentError::BadManifest {
                what,
                reason: "it is an index".to_owned(),
            })),
        }
    }

    /// The blobs that the signatures of a subject are made of, for a collection to keep.
    pub(super) fn signature_blobs(&self, subject: &Digest) -> Result<Vec<Digest>, StoreError> {
        let mut blobs = Vec::new();
        let Some(record) = self.signature_record(subject)? else {
            return Ok(blobs);
        };
        for one in record.bundles {
            blobs.extend([one.manifest, one.config, one.bundle]);
        }
        if let Some(simple) = record.simple {
            let (_, manifest) = self.simple_manifest(&simple)?;
            blobs.extend([simple, manifest.config.digest]);
            blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
        }
        Ok(blobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_layer::sha256;

    /// What is taken for a signature of a manifest with these layers: media type, size and signature of each.
    fn signed(layers: &[(&str, u64, Option<String>)]) -> Vec<String> {
        let digest = sha256(b"x");
        let layers = layers.iter().map(|(media_type, size, signature)| {
            let mut layer = serde_json::json!({
                "mediaType": media_type, "digest": digest, "size": size,
            });
            if let Some(signature) = signature {
                layer["annotations"] = serde_json::json!({ cosign::SIGNATURE: signature });
            }
            layer
        });
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "config": { "mediaType": "application/json", "digest": digest, "size": 2 },
            "layers": layers.collect::<Vec<_>>(),
        });
        match Document::parse("x", manifest.to_string().as_bytes(), "").unwrap() {
            Document::Manifest(manifest) => {
                let signed = signed_layers(&manifest).into_iter();
                signed.map(|(_, signature)| signature).collect()
            }
            Document::Index(_) => panic!("a manifest"),
        }
    }

    #[test]
    fn only_what_is_a_signature_within_its_limits_is_taken_for_one() {
        let some = |text: &str| Some(text.to_owned());
        let most = usize::try_from(MAX_PAYLOAD).unwrap();
        let layers = [
            (SIMPLE_SIGNING, 1, some("one")),
            ("application/json", 1, some("of another kind")),
            (SIMPLE_SIGNING, 1, None),
            (SIMPLE_SIGNING, MAX_PAYLOAD, some("largest")),
            (SIMPLE_SIGNING, MAX_PAYLOAD + 1, some("too large")),
            (SIMPLE_SIGNING, 1, Some("x".repeat(most))),
            (SIMPLE_SIGNING, 1, Some("x".repeat(most + 1))),
            (
                "application/json",
                MAX_PAYLOAD + 1,
                Some("x".repeat(most + 1)),
            ),
        ];
        let taken = signed(&layers);
        assert_eq!(taken.len(), 3);
        assert_eq!(
            (&*taken[0], &*taken[1], taken[2].len()),
            ("one", "largest", most)
        );
        let many = vec![(SIMPLE_SIGNING, 1, some("one")); MAX_SIGNATURES + 1];
        assert_eq!(signed(&many).len(), MAX_SIGNATURES);
    }

    #[test]
    fn a_record_names_as_many_bundles_as_any_setting_lets_be_taken() {
        let digest = sha256(b"x").to_string();
        let bundle = serde_json::json!({ "manifest": digest, "config": digest, "bundle": digest });
        let of = |count: usize| {
            let record = serde_json::json!({ "version": 2, "bundles": vec![&bundle; count] });
            let record = SignatureRecord::parse(record.to_string().as_bytes()).unwrap();
            record.bundles.len()
        };
        assert_eq!(of(MAX_BUNDLES), MAX_BUNDLES);
        assert_eq!(of(MAX_BUNDLES + 1), MAX_BUNDLES);
    }

    #[test]
    fn records_of_both_versions_are_read_and_later_ones_are_refused() {
        let (a, b) = (sha256(b"a"), sha256(b"b"));
        let old = SignatureRecord::parse(format!("{a}\n").as_bytes()).unwrap();
        assert_eq!(
            (old.simple.as_ref(), old.bundles.len()),
            (Some(&a), 0),
            "version 1"
        );
        let record = SignatureRecord {
            simple: None,
            bundles: vec![BundleRecord {
                manifest: a.clone(),
                config: b.clone(),
                bundle: a.clone(),
                predicate_type: Some("https://a.example/v1".to_owned()),
            }],
        };
        assert_eq!(SignatureRecord::parse(&record.to_bytes()).unwrap(), record);
        for (bad, reason) in [
            (&b"sha256:../../etc/passwd"[..], "../../etc/passwd"),
            (br#"{"version":3}"#, "made by a later fairing"),
            (br#"{"version":2,"simple":"sha256:x"}"#, "sha256:x"),
            (b"", "it can't be read"),
            (b"[]", "it can't be read"),
        ] {
            let error = SignatureRecord::parse(bad).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
