//! Signatures: cosign's manifest for an image, kept like any other blob and found by the digest
//! that it is about.

use std::fs::{self, File};
use std::io::ErrorKind;

use oci_spec::image::Digest;
use rustix::fs::{FlockOperation, flock};

use super::Store;
use super::durable::sync_folder;
use super::paths::make_folder;
use crate::cosign;
use crate::digest::{hex, parse_digest, sha256};
use crate::error::StoreError;
use crate::manifest::{Descriptor, Document, Manifest};
use crate::media_type::SIMPLE_SIGNING;
use crate::origin::Limits;

/// Bytes of one signed payload.
pub(crate) const MAX_PAYLOAD: u64 = 64 << 10;

/// Signatures of one image that are looked at.
pub(crate) const MAX_SIGNATURES: usize = 128;

/// One signature of an image, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The signed bytes (simple signing JSON).
    pub payload: Vec<u8>,
    /// The signature over them, in base64 as cosign annotates it.
    pub signature: String,
}

/// The signed payloads that a signature manifest names, with their signatures.
pub(crate) fn signed_layers(
    what: &str,
    manifest: &Manifest,
) -> Result<Vec<(Descriptor, String)>, StoreError> {
    let mut signed = Vec::new();
    for layer in &manifest.layers {
        // Other kinds may come to be; they are no signatures.
        let Some(signature) = layer.annotations.get(cosign::SIGNATURE) else {
            continue;
        };
        if layer.media_type != SIMPLE_SIGNING {
            continue;
        }
        if layer.size > MAX_PAYLOAD || signature.len() as u64 > MAX_PAYLOAD {
            return Err(StoreError::LimitExceeded {
                what: format!("{what}: signed payload {}", layer.digest),
                limit: format!("{MAX_PAYLOAD} bytes"),
            });
        }
        if signed.len() >= MAX_SIGNATURES {
            return Err(StoreError::LimitExceeded {
                what: format!("{what}: number of signatures"),
                limit: MAX_SIGNATURES.to_string(),
            });
        }
        signed.push((layer.clone(), signature.clone()));
    }
    Ok(signed)
}

impl Store {
    /// The signatures that the store has for a manifest or index, none if there are none. They are
    /// hashed as they are read, and not verified.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] for what is not as it was stored.
    pub fn signatures(&self, subject: &Digest) -> Result<Vec<Signature>, StoreError> {
        let Some((_, _, manifest)) = self.signature_manifest(subject)? else {
            return Ok(Vec::new());
        };
        let what = format!("signatures of {subject}");
        signed_layers(&what, &manifest)?
            .into_iter()
            .map(|(layer, signature)| {
                let payload = self.read_blob("signed payload", &layer.digest, MAX_PAYLOAD)?;
                Ok(Signature { payload, signature })
            })
            .collect()
    }

    /// The signature manifest of a subject, as bytes and parsed.
    pub(super) fn signature_manifest(
        &self,
        subject: &Digest,
    ) -> Result<Option<(Digest, Vec<u8>, Manifest)>, StoreError> {
        let record = self.signature_record(subject)?;
        let text = match fs::read_to_string(&record) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot read", &record, error)),
        };
        let digest = parse_digest(text.trim_end()).map_err(|error| StoreError::Damaged {
            path: record,
            reason: error.to_string(),
        })?;
        let bytes = self.read_blob("signature manifest", &digest, Limits::default().manifest)?;
        let what = format!("signature manifest {digest}");
        match Document::parse(&what, &bytes, "")? {
            Document::Manifest(manifest) => Ok(Some((digest, bytes, manifest))),
            Document::Index(_) => Err(StoreError::BadManifest {
                what,
                reason: "it is an index".to_owned(),
            }),
        }
    }

    /// Adds a signature for a manifest or index to the store. One that is there already changes
    /// nothing. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`] or [`StoreError::NoSpace`], or what is wrong with the ones that are there.
    pub fn add_signature(
        &self,
        subject: &Digest,
        payload: &[u8],
        signature: &str,
    ) -> Result<(), StoreError> {
        let new = [Signature {
            payload: payload.to_vec(),
            signature: signature.to_owned(),
        }];
        self.add_signatures(subject, &new)
    }

    /// Adds several at once; see [`Store::add_signature`].
    pub(crate) fn add_signatures(
        &self,
        subject: &Digest,
        new: &[Signature],
    ) -> Result<(), StoreError> {
        let _pin = self.pin()?;
        let folder = self.signatures_folder();
        make_folder(&folder)?;
        make_folder(&self.blobs_folder())?;
        // Adding is reading, changing and writing: one at a time.
        let lock = File::open(&folder).map_err(|e| StoreError::io("cannot open", &folder, e))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| StoreError::io("cannot lock", &folder, error))?;
        let mut manifest = self.signature_manifest(subject)?.map(|(_, bytes, _)| bytes);
        let mut blobs: Vec<Vec<u8>> = Vec::new();
        for one in new {
            let added = cosign::append(manifest.as_deref(), &one.payload, &one.signature)?;
            if let Some(added) = added {
                blobs.push(one.payload.clone());
                blobs.push(added.config);
                manifest = Some(added.manifest);
            }
        }
        let Some(manifest) = manifest.filter(|_| !blobs.is_empty()) else {
            return Ok(());
        };
        let digest = sha256(&manifest);
        blobs.push(manifest);
        let staging = self.stage()?;
        let write = |bytes: &[u8], name: &str, to: std::path::PathBuf| {
            let from = staging.write(name, bytes)?;
            File::open(&from)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&from, &to))
                .map_err(|error| StoreError::io("cannot write", &to, error))
        };
        for blob in &blobs {
            let digest = sha256(blob);
            write(blob, hex(&digest)?, self.blob_path(&digest)?)?;
        }
        sync_folder(&self.blobs_folder())?;
        write(
            digest.as_ref().as_bytes(),
            "record",
            self.signature_record(subject)?,
        )?;
        sync_folder(&folder)
    }
}
