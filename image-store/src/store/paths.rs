//! Where things are, and the directories they are in.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use image_document::referrer::BundleLimits;
use image_layer::WindowMemory;
use image_name::Digest;

use crate::error::StoreError;

/// An image store below one directory. Any number of processes may use one at once.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    memory: WindowMemory,
    /// What it keeps of what refers to one image.
    pub(super) bundle_limits: BundleLimits,
}

impl Store {
    /// The store in `images`. Costs nothing: what is missing is made by the first that writes.
    #[must_use]
    pub fn open(images: &Path) -> Self {
        Self::open_within(images, &WindowMemory::default())
    }

    /// The same, with memory for inflating layers that it shares with others.
    #[must_use]
    pub fn open_within(images: &Path, memory: &WindowMemory) -> Self {
        Self {
            root: images.to_owned(),
            memory: memory.clone(),
            bundle_limits: BundleLimits::MOST,
        }
    }

    /// The memory for inflating layers.
    pub(crate) fn memory(&self) -> &WindowMemory {
        &self.memory
    }

    /// The directory of the store.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    pub(crate) fn blobs_folder(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(crate) fn layers_folder(&self) -> PathBuf {
        self.root.join("layers")
    }

    pub(crate) fn filesystems_folder(&self) -> PathBuf {
        self.root.join("filesystems")
    }

    pub(crate) fn refs_folder(&self) -> PathBuf {
        self.root.join("refs")
    }

    pub(crate) fn signatures_folder(&self) -> PathBuf {
        self.root.join("signatures")
    }

    pub(crate) fn newest_folder(&self) -> PathBuf {
        self.root.join("newest")
    }

    pub(crate) fn tmp_folder(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The file of a blob, whether it is there or not.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs_folder().join(digest.hex())
    }

    /// The directory of a layer, whether it is there or not.
    pub(crate) fn layer_folder(&self, diff_id: &Digest) -> PathBuf {
        self.layers_folder().join(diff_id.hex())
    }

    pub(crate) fn signature_record_path(&self, subject: &Digest) -> PathBuf {
        self.signatures_folder()
            .join(format!("sha256-{}", subject.hex()))
    }
}

/// Makes a directory of the store and those above it. They are closed to all but root: layers hold
/// setuid programs (CVE-2021-41091).
pub(crate) fn make_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| StoreError::io("cannot create", path, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use image_layer::sha256;

    use super::*;

    #[test]
    fn each_thing_has_its_place() {
        let store = Store::open("/var/images".as_ref());
        let digest = sha256(b"x");
        let hex = digest.hex();
        assert_eq!(store.path(), Path::new("/var/images"));
        for (path, expected) in [
            (store.blobs_folder(), "blobs/sha256".to_owned()),
            (store.blob_path(&digest), format!("blobs/sha256/{hex}")),
            (store.layers_folder(), "layers".to_owned()),
            (store.layer_folder(&digest), format!("layers/{hex}")),
            (store.filesystems_folder(), "filesystems".to_owned()),
            (store.refs_folder(), "refs".to_owned()),
            (store.signatures_folder(), "signatures".to_owned()),
            (
                store.signature_record_path(&digest),
                format!("signatures/sha256-{hex}"),
            ),
            (store.newest_folder(), "newest".to_owned()),
            (store.tmp_folder(), "tmp".to_owned()),
        ] {
            assert_eq!(path, Path::new("/var/images").join(expected));
        }
    }

    #[test]
    fn stores_share_the_memory_that_they_are_given_and_none_else() {
        let memory = WindowMemory::default();
        let within = |path: &str| Store::open_within(path.as_ref(), &memory);
        let (one, other) = (within("/one"), within("/other"));
        assert!(one.memory().is_shared_with(other.memory()));
        assert!(one.clone().memory().is_shared_with(&memory));
        let alone = Store::open("/one".as_ref());
        assert!(!alone.memory().is_shared_with(&memory));
        assert_eq!(
            (alone.path(), one.path()),
            ("/one".as_ref(), "/one".as_ref())
        );
    }

    #[test]
    fn what_is_made_is_closed_to_others_with_all_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        make_folder(&made).unwrap();
        make_folder(&made).unwrap();
        for path in [&made, made.parent().unwrap()] {
            assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        }
        std::fs::write(made.join("file"), "").unwrap();
        let error = make_folder(&made.join("file/c")).unwrap_err().to_string();
        assert!(
            error.contains("cannot create") && error.contains("file/c"),
            "{error}"
        );
    }
}
