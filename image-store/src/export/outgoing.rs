//! What belongs to an image, read from the blobs of the store and hashed again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;

use crate::digest::{Hasher, sha256};
use crate::error::StoreError;
use crate::manifest::{Descriptor, Document};
use crate::media_type;
use crate::origin::RawManifest;
use crate::reference::Reference;

/// Bytes of a manifest or index.
const MAX_DOCUMENT: u64 = 4 << 20;

/// Indexes within indexes.
const MAX_DEPTH: usize = 3;

/// An image of the store that shall be written elsewhere.
pub struct Outgoing<'a> {
    /// Where the store has a blob, or would have it.
    pub blob_path: &'a dyn Fn(&Digest) -> PathBuf,
    /// The index or manifest. Members of an index that the store hasn't are left out.
    pub top: Digest,
    /// The name that the image gets.
    pub reference: Option<Reference>,
    /// Signature manifests that go along: the digest that was signed, and the manifest.
    pub signatures: Vec<(Digest, Digest)>,
}

/// Everything that belongs to an image.
pub(crate) struct Content {
    /// What the image is named by.
    pub(crate) top: RawManifest,
    /// Manifests and indexes, each after what it names; `top` and signatures among them.
    pub(crate) documents: Vec<RawManifest>,
    /// Configurations, layers and signed payloads, each once.
    pub(crate) blobs: Vec<Blob>,
    /// Digests that were signed, with the manifest of their signatures.
    pub(crate) signatures: Vec<(Digest, RawManifest)>,
}

/// A blob that a manifest names.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl From<&Descriptor> for Blob {
    fn from(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest.clone(),
            size: descriptor.size,
        }
    }
}

impl Outgoing<'_> {
    /// Reads the documents and lists the blobs.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the store hasn't an image that can be written.
    pub(crate) fn content(&self) -> Result<Content, StoreError> {
        let mut walk = Walk {
            image: self,
            documents: Vec::new(),
            blobs: Vec::new(),
            seen: BTreeSet::new(),
        };
        let top = walk
            .document(&self.top, 0)?
            .ok_or_else(|| self.missing("manifest", &self.top))?;
        let mut signatures = Vec::new();
        for (subject, manifest) in &self.signatures {
            let manifest = walk
                .document(manifest, MAX_DEPTH)?
                .ok_or_else(|| self.missing("signature manifest", manifest))?;
            signatures.push((subject.clone(), manifest));
        }
        Ok(Content {
            top,
            documents: walk.documents,
            blobs: walk.blobs,
            signatures,
        })
    }

    /// Opens a blob.
    pub(crate) fn open(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        let path = (self.blob_path)(digest);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("cannot open", &path, error)),
        }
    }

    pub(crate) fn missing(&self, what: &str, digest: &Digest) -> StoreError {
        StoreError::Missing {
            what: what.to_owned(),
            digest: digest.clone(),
        }
    }
}

struct Walk<'a> {
    image: &'a Outgoing<'a>,
    documents: Vec<RawManifest>,
    blobs: Vec<Blob>,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    /// Takes up a document and all it names; `None` if the store hasn't it.
    fn document(
        &mut self,
        digest: &Digest,
        depth: usize,
    ) -> Result<Option<RawManifest>, StoreError> {
        let Some(file) = self.image.open(digest)? else {
            return Ok(None);
        };
        let what = format!("manifest {digest}");
        let mut bytes = Vec::new();
        file.take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::from_read(&what, error))?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(StoreError::LimitExceeded {
                what,
                limit: format!("{MAX_DOCUMENT} bytes"),
            });
        }
        let found = sha256(&bytes);
        if found != *digest {
            return Err(mismatch(what, digest, &found));
        }
        let media_type = media_type::of_manifest(&bytes, "");
        let document = RawManifest {
            media_type,
            bytes,
            digest: found,
        };
        match Document::parse(&what, &document.bytes, "")? {
            Document::Index(index) if depth < MAX_DEPTH => {
                let mut any = false;
                for member in &index.members {
                    any |= self.document(&member.digest, depth + 1)?.is_some();
                }
                if !any {
                    return Err(self.image.missing("every member of index", digest));
                }
            }
            Document::Index(_) => {
                return Err(StoreError::BadManifest {
                    what,
                    reason: "an index where an image manifest must be".to_owned(),
                });
            }
            Document::Manifest(manifest) => {
                self.blob("configuration", &manifest.config)?;
                for layer in &manifest.layers {
                    self.blob("layer blob", layer)?;
                }
            }
        }
        if self.seen.insert(digest.to_string()) {
            self.documents.push(document.clone());
        }
        Ok(Some(document))
    }

    fn blob(&mut self, what: &str, descriptor: &Descriptor) -> Result<(), StoreError> {
        let blob = Blob::from(descriptor);
        if self.seen.insert(blob.digest.to_string()) {
            if !(self.image.blob_path)(&blob.digest).exists() {
                return Err(self.image.missing(what, &blob.digest));
            }
            self.blobs.push(blob);
        }
        Ok(())
    }
}

/// Copies a blob to `writer` (at `dest`) and checks its size and digest on the way.
pub(crate) fn copy_verified(
    image: &Outgoing<'_>,
    blob: &Blob,
    dest: &Path,
    writer: &mut dyn Write,
) -> Result<(), StoreError> {
    let what = format!("blob {}", blob.digest);
    let mut file = image
        .open(&blob.digest)?
        .ok_or_else(|| image.missing("blob", &blob.digest))?;
    let mut hasher = Hasher::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| StoreError::from_read(&what, error))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        size += count as u64;
        hasher.update(bytes);
        writer
            .write_all(bytes)
            .map_err(|error| StoreError::io("cannot write", dest, error))?;
    }
    if size != blob.size {
        return Err(StoreError::SizeMismatch {
            what,
            expected: blob.size,
            found: size,
        });
    }
    let found = hasher.finish();
    if found != blob.digest {
        return Err(mismatch(what, &blob.digest, &found));
    }
    Ok(())
}

/// The error for bytes with another digest than they are named by.
pub(crate) fn mismatch(what: String, expected: &Digest, found: &Digest) -> StoreError {
    StoreError::DigestMismatch {
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}
