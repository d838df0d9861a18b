//! Blobs: files named by the digest of their contents. Read small, re-hashed each time.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use image_layer::{ContentError, Limits, has_digest, sha256};
use image_name::Digest;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::Store;
use crate::error::StoreError;

impl Store {
    /// A manifest or an index, as it is.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] if the store hasn't it as it was fetched.
    pub fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.read_blob("manifest", digest, Limits::default().manifest)
    }

    /// Reads a small blob and proves that it still has its digest.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Damaged`], or [`ContentError::LimitExceeded`] if it has
    /// more than `limit` bytes.
    pub(crate) fn read_blob(
        &self,
        what: &str,
        digest: &Digest,
        limit: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_path(digest);
        self.read_blob_at(CWD, &path, what, digest, limit)
    }

    /// As [`Store::read_blob`] with the directory of the blobs open: the way there is walked once for
    /// many.
    pub(super) fn read_blob_in(
        &self,
        folder: &File,
        what: &str,
        digest: &Digest,
        limit: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let name = Path::new(digest.hex());
        self.read_blob_at(folder.as_fd(), name, what, digest, limit)
    }

    fn read_blob_at(
        &self,
        folder: BorrowedFd<'_>,
        at: &Path,
        what: &str,
        digest: &Digest,
        limit: u64,
    ) -> Result<Vec<u8>, StoreError> {
        // For messages.
        let path = || self.blobs_folder().join(digest.hex());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(folder, at, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => StoreError::Missing {
                what: what.to_owned(),
                digest: digest.clone(),
            },
            _ => StoreError::io("cannot open", &path(), error),
        })?;
        let mut file = File::from(file);
        let failed = |error| StoreError::io("cannot read", &path(), error);
        let mut first = [0; 4096];
        let length = file.read(&mut first).map_err(failed)?;
        let mut bytes = first.get(..length).unwrap_or_default().to_vec();
        // Most are small, and a short read of a file is its end.
        if length == first.len() {
            let rest = (limit + 1).saturating_sub(length as u64);
            file.take(rest).read_to_end(&mut bytes).map_err(failed)?;
        }
        if bytes.len() as u64 > limit {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what: format!("{what} {digest}"),
                limit: format!("{limit} bytes"),
            }));
        }
        if !has_digest(&bytes, digest) {
            let found = sha256(&bytes);
            return Err(StoreError::Damaged {
                path: path(),
                reason: format!("its content has digest {found}"),
            });
        }
        Ok(bytes)
    }

    /// Whether the blob is in the store.
    pub(crate) fn has_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.blob_path(digest);
        path.try_exists()
            .map_err(|error| StoreError::io("cannot look for", &path, error))
    }

    /// Whether the layer is in the store.
    pub(crate) fn has_layer(&self, diff_id: &Digest) -> Result<bool, StoreError> {
        let path = self.layer_folder(diff_id).join("fs");
        path.try_exists()
            .map_err(|error| StoreError::io("cannot look for", &path, error))
    }
}
