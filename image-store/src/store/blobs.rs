//! Blobs: files named by the digest of their contents. Read small, re-hashed each time.

use std::fs::File;
use std::io::{ErrorKind, Read};

use oci_spec::image::Digest;

use super::Store;
use crate::digest::sha256;
use crate::error::StoreError;

impl Store {
    /// Reads a small blob and proves that it still has its digest.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`], or [`StoreError::LimitExceeded`] if it has
    /// more than `limit` bytes.
    pub(crate) fn read_blob(
        &self,
        what: &str,
        digest: &Digest,
        limit: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(digest)?;
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::Missing {
                what: what.to_owned(),
                digest: digest.clone(),
            },
            _ => StoreError::io("cannot open", &path, error),
        })?;
        let mut bytes = Vec::with_capacity(4096);
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::io("cannot read", &path, error))?;
        if bytes.len() as u64 > limit {
            return Err(StoreError::LimitExceeded {
                what: format!("{what} {digest}"),
                limit: format!("{limit} bytes"),
            });
        }
        let found = sha256(&bytes);
        if found != *digest {
            return Err(StoreError::Damaged {
                path,
                reason: format!("its content has digest {found}"),
            });
        }
        Ok(bytes)
    }

    /// Whether the blob is in the store.
    pub(crate) fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.blob_path(digest)?;
        path.try_exists()
            .map_err(|error| StoreError::io("cannot look for", &path, error))
    }

    /// Whether the layer is in the store.
    pub(crate) fn has_layer(&self, diff_id: &Digest) -> Result<bool, StoreError> {
        let path = self.layer_folder(diff_id)?.join("fs");
        path.try_exists()
            .map_err(|error| StoreError::io("cannot look for", &path, error))
    }
}
