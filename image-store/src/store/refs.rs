//! Names of images: one small file for each.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};

use super::Store;
use super::durable::sync_folder;
use crate::digest::parse_digest;
use crate::error::StoreError;
use crate::reference::Reference;

/// Version of the record; readers refuse later ones.
const VERSION: u32 = 1;

/// What the store knows of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefRecord {
    /// The name.
    pub reference: Reference,
    /// What the name stands for: an index or a manifest.
    pub digest: Digest,
    /// The manifest of the platform for which it was fetched.
    pub manifest: Digest,
    /// When it was fetched, in seconds since 1970.
    pub fetched_at: u64,
    /// From where, as the user gave it.
    pub source: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    reference: String,
    digest: String,
    manifest: String,
    fetched_at: u64,
    source: String,
}

impl RefRecord {
    pub(crate) fn new(
        reference: Reference,
        digest: Digest,
        manifest: Digest,
        source: String,
    ) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            reference,
            digest,
            manifest,
            fetched_at: now.as_secs(),
            source,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            version: VERSION,
            reference: self.reference.to_string(),
            digest: self.digest.to_string(),
            manifest: self.manifest.to_string(),
            fetched_at: self.fetched_at,
            source: self.source.clone(),
        };
        // Strings and numbers always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |reason: String| StoreError::Damaged {
            path: path.to_owned(),
            reason,
        };
        let stored: Stored = serde_json::from_slice(bytes)
            .map_err(|error| damaged(format!("it can't be read: {error}")))?;
        if stored.version > VERSION {
            return Err(damaged(format!(
                "it is of version {}, made by a later fairing",
                stored.version
            )));
        }
        Ok(Self {
            reference: Reference::parse(&stored.reference)?,
            digest: parse_digest(&stored.digest)?,
            manifest: parse_digest(&stored.manifest)?,
            fetched_at: stored.fetched_at,
            source: stored.source,
        })
    }
}

impl Store {
    /// What a name stands for, if it is in the store. One small read.
    ///
    /// A reference with tag and digest is also found under the tag alone, if that stands for the
    /// digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the record can't be read.
    pub fn resolve(&self, reference: &Reference) -> Result<Option<RefRecord>, StoreError> {
        if let Some(record) = self.read_ref(&reference.file_name())? {
            return Ok(Some(record));
        }
        let (Some(tag), Some(digest)) = (reference.tag(), reference.digest()) else {
            return Ok(None);
        };
        let tagged = Reference::parse(&format!("{}:{tag}", reference.repository()))?;
        Ok(self
            .read_ref(&tagged.file_name())?
            .filter(|record| record.digest == *digest || record.manifest == *digest))
    }

    pub(super) fn read_ref(&self, file_name: &str) -> Result<Option<RefRecord>, StoreError> {
        let path = self.refs_folder().join(file_name);
        match fs::read(&path) {
            Ok(bytes) => RefRecord::from_bytes(&path, &bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("cannot read", &path, error)),
        }
    }

    /// Forgets a name. What the name stood for stays until the next collection. Gives back what was
    /// forgotten, `None` if the name was not known.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the record can't be removed.
    pub fn remove(&self, reference: &Reference) -> Result<Option<RefRecord>, StoreError> {
        let file_name = reference.file_name();
        let path = self.refs_folder().join(&file_name);
        // A record that can't be read is removed all the same.
        let record = self.read_ref(&file_name);
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&self.refs_folder())?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot remove", &path, error)),
        }
        match record {
            Err(StoreError::Io { .. }) | Ok(_) => record,
            Err(_) => Ok(None),
        }
    }
}
