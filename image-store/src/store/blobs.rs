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

/// How what is only read is opened: nobody waits for the other end of a fifo that somebody put in its place.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

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
        let file = openat(folder, at, READ, Mode::empty()).map_err(|error| match error {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with these blobs.
    fn store_of(blobs: &[&[u8]]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        std::fs::create_dir_all(store.blobs_folder()).unwrap();
        for blob in blobs {
            std::fs::write(store.blob_path(&sha256(blob)), blob).unwrap();
        }
        (folder, store)
    }

    #[test]
    fn a_blob_is_read_up_to_its_limit_and_no_further() {
        for length in [0, 1, 4095, 4096, 4097, 10_000] {
            let blob = vec![b'x'; length];
            let (_folder, store) = store_of(&[&blob]);
            let open = File::open(store.blobs_folder()).unwrap();
            let digest = sha256(&blob);
            let length = length as u64;
            for limit in [length, length + 1, 1 << 20] {
                assert_eq!(store.read_blob("x", &digest, limit).unwrap(), blob);
                let within = store.read_blob_in(&open, "x", &digest, limit);
                assert_eq!(within.unwrap(), blob);
            }
            for limit in [length.saturating_sub(1), length / 2, 0] {
                if limit == length {
                    continue;
                }
                let error = store.read_blob("thing", &digest, limit).unwrap_err();
                assert!(
                    matches!(
                        &error,
                        StoreError::Content(ContentError::LimitExceeded { what, .. })
                            if what.contains("thing")
                    ),
                    "{length} {limit}: {error}"
                );
            }
        }
    }

    #[test]
    fn a_blob_that_is_missing_or_damaged_or_can_not_be_opened_is_told_apart() {
        let (_folder, store) = store_of(&[b"one"]);
        let (one, other) = (sha256(b"one"), sha256(b"other"));
        assert_eq!(store.manifest(&one).unwrap(), b"one");
        let error = store.manifest(&other).unwrap_err();
        assert!(
            matches!(&error, StoreError::Missing { what, digest }
                if what == "manifest" && *digest == other),
            "{error}"
        );
        std::fs::write(store.blob_path(&one), "two").unwrap();
        let error = store.manifest(&one).unwrap_err().to_string();
        assert!(error.contains(sha256(b"two").hex()), "{error}");
        let leads_to_itself = store.blob_path(&other);
        std::os::unix::fs::symlink(&leads_to_itself, &leads_to_itself).unwrap();
        let error = store.manifest(&other).unwrap_err();
        assert!(error.to_string().contains("cannot open"), "{error}");
    }

    #[test]
    fn what_is_there_is_known_and_what_can_not_be_looked_for_is_told() {
        let (folder, store) = store_of(&[b"one"]);
        let (one, other) = (sha256(b"one"), sha256(b"other"));
        assert!(store.has_blob(&one).unwrap() && !store.has_blob(&other).unwrap());
        std::fs::create_dir_all(store.layer_folder(&one).join("fs")).unwrap();
        // One that is not whole.
        std::fs::create_dir_all(store.layer_folder(&other)).unwrap();
        assert!(store.has_layer(&one).unwrap() && !store.has_layer(&other).unwrap());
        let no_store = Store::open(&folder.path().join("file"));
        std::fs::write(no_store.path(), "").unwrap();
        assert!(no_store.has_blob(&one).is_err() && no_store.has_layer(&one).is_err());
    }

    #[test]
    fn nobody_waits_for_a_fifo_in_the_place_of_a_blob() {
        let (folder, store) = store_of(&[]);
        let digest = sha256(b"x");
        let path = store.blob_path(&digest);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (mode, fifo) = (Mode::from_raw_mode(0o600), rustix::fs::FileType::Fifo);
        rustix::fs::mknodat(CWD, &path, fifo, mode, 0).unwrap();
        let error = store.read_blob("manifest", &digest, 10).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        drop(folder);
    }
}
