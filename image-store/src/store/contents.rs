//! What the documents of the store name: each is read, hashed and parsed once.

use std::borrow::Cow;
use std::fs::File;
use std::rc::Rc;

use image_document::go_json;
use image_layer::{ContentError, Limits};
use image_name::Digest;
use serde::Deserialize;

use super::digest_map::{DigestMap, DigestSet};
use super::{RefRecord, Store};
use crate::error::StoreError;

/// What one document names. Only sizes that reading it has told are known.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Bytes of the document itself.
    pub(super) size: u64,
    /// Manifests that an index names, in the store or not.
    members: Vec<Digest>,
    /// The configuration of a manifest, and its bytes.
    pub(super) config: Option<(Digest, u64)>,
    /// The compressed layers of a manifest.
    pub(super) layer_blobs: Vec<Digest>,
    /// The layers of a manifest, base first.
    pub(super) diff_ids: Vec<Digest>,
    /// The date in the configuration of a manifest.
    pub(super) created: Option<String>,
}

/// The documents that were read so far. What has a digest never changes, so one of these may be
/// filled beside other commands and used later, when they have to wait.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    store: &'a Store,
    /// The directory of the blobs, if there is one.
    blobs: Option<File>,
    known: DigestMap<Digest, Rc<Contents>>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self {
            store,
            blobs: File::open(store.blobs_folder()).ok(),
            known: DigestMap::default(),
        }
    }

    /// What a document names; nothing, if the blob is none.
    pub(super) fn contents(&mut self, digest: &Digest) -> Result<Rc<Contents>, StoreError> {
        if let Some(known) = self.known.get(digest) {
            return Ok(Rc::clone(known));
        }
        let contents = Rc::new(self.read(digest)?);
        self.known.insert(digest.clone(), Rc::clone(&contents));
        Ok(contents)
    }

    /// Forgets what was read, for who needs each document once.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// The documents that a name or a pod needs: those given, and the members of indexes that are
    /// in the store.
    pub(super) fn below(
        &mut self,
        tops: &[&Digest],
    ) -> Result<Vec<(Digest, Rc<Contents>)>, StoreError> {
        let mut seen: DigestSet<Digest> = DigestSet::default();
        let mut open: Vec<Digest> = tops.iter().map(|top| (*top).clone()).collect();
        let mut documents = Vec::with_capacity(tops.len());
        while let Some(digest) = open.pop() {
            if seen.contains(&digest) {
                continue;
            }
            seen.insert(digest.clone());
            let contents = self.contents(&digest)?;
            for member in &contents.members {
                if self.known.contains_key(member) || self.store.has_blob(member)? {
                    open.push(member.clone());
                }
            }
            documents.push((digest, contents));
        }
        Ok(documents)
    }

    /// As [`Documents::below`] for what a name stands for.
    pub(super) fn of(
        &mut self,
        record: &RefRecord,
    ) -> Result<Vec<(Digest, Rc<Contents>)>, StoreError> {
        self.below(&[&record.digest, &record.manifest])
    }

    fn blob(&self, what: &str, digest: &Digest, limit: u64) -> Result<Vec<u8>, StoreError> {
        match &self.blobs {
            Some(folder) => self.store.read_blob_in(folder, what, digest, limit),
            None => self.store.read_blob(what, digest, limit),
        }
    }

    fn read(&self, digest: &Digest) -> Result<Contents, StoreError> {
        let limits = Limits::default();
        let bytes = match self.blob("manifest", digest, limits.manifest) {
            // It is no document then, but a layer.
            Err(StoreError::Content(ContentError::LimitExceeded { .. })) => {
                return Ok(Contents::default());
            }
            other => other?,
        };
        let mut contents = Contents {
            size: bytes.len() as u64,
            ..Contents::default()
        };
        // What has its digest and is no document never was one.
        let bytes = go_json::repaired(&bytes);
        let Ok(document) = go_json::read::<Document<'_>>(&bytes) else {
            return Ok(contents);
        };
        contents.members = digests(document.manifests.as_ref());
        contents.layer_blobs = digests(document.layers.as_ref());
        let config = document.config.and_then(|config| digest_of(&config));
        if let Some(config) = config {
            let bytes = self.blob("configuration", &config, limits.config)?;
            contents.config = Some((config, bytes.len() as u64));
            let bytes = go_json::repaired(&bytes);
            let config: Config<'_> = go_json::read(&bytes).unwrap_or_default();
            contents.created = config.created.map(Cow::into_owned);
            let diff_ids = config.rootfs.diff_ids.iter();
            contents.diff_ids = diff_ids.filter_map(|id| Digest::parse(id).ok()).collect();
        }
        Ok(contents)
    }
}

/// The little of a manifest or index that counts here. Whoever runs an image reads it strictly; here
/// everything is kept that any reader could take it to name.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    config: Option<Descriptor<'a>>,
    #[serde(borrow)]
    layers: Option<Vec<Descriptor<'a>>>,
    #[serde(borrow)]
    manifests: Option<Vec<Descriptor<'a>>>,
}

#[derive(Deserialize)]
struct Descriptor<'a> {
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

/// Others than SHA-256 name nothing that the store could have.
fn digest_of(descriptor: &Descriptor<'_>) -> Option<Digest> {
    Digest::parse(&descriptor.digest).ok()
}

fn digests(descriptors: Option<&Vec<Descriptor<'_>>>) -> Vec<Digest> {
    let descriptors = descriptors.into_iter().flatten();
    descriptors.filter_map(digest_of).collect()
}

/// The little of a configuration that counts here.
#[derive(Default, Deserialize)]
struct Config<'a> {
    #[serde(borrow, default)]
    created: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    rootfs: RootFs<'a>,
}

#[derive(Default, Deserialize)]
struct RootFs<'a> {
    #[serde(borrow, default)]
    diff_ids: Vec<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use image_layer::sha256;
    use serde_json::json;

    use super::*;

    fn put(store: &Store, bytes: &[u8]) -> Digest {
        let digest = sha256(bytes);
        std::fs::create_dir_all(store.blobs_folder()).unwrap();
        std::fs::write(store.blob_path(&digest), bytes).unwrap();
        digest
    }

    /// What is below a document, without the document.
    fn below(documents: &mut Documents<'_>, top: &Digest) -> Vec<Digest> {
        let all = documents.below(&[top, top]).unwrap().into_iter();
        all.map(|(digest, _)| digest)
            .filter(|digest| digest != top)
            .collect()
    }

    #[test]
    fn members_that_are_there_or_were_read_are_below_an_index_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let member = put(&store, b"{}");
        let absent = sha256(b"absent");
        let index = json!({ "manifests": [{ "digest": member }, { "digest": absent }] });
        let index = put(&store, index.to_string().as_bytes());
        let mut documents = Documents::new(&store);
        assert_eq!(below(&mut documents, &index), std::slice::from_ref(&member));
        std::fs::remove_file(store.blob_path(&member)).unwrap();
        assert_eq!(below(&mut documents, &index), std::slice::from_ref(&member));
        documents.clear();
        assert!(below(&mut documents, &index).is_empty());
        let error = documents.below(&[&absent]).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    }

    #[test]
    fn a_manifest_names_its_configuration_its_layers_and_what_they_unpack_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let (layer, diff_id) = (sha256(b"layer"), sha256(b"diff"));
        let config = json!({
            "created": "2026-01-01T00:00:00Z",
            "rootfs": { "diff_ids": [diff_id, "sha512:abc"] },
        })
        .to_string();
        let config_digest = put(&store, config.as_bytes());
        let manifest = json!({
            "config": { "digest": config_digest },
            "layers": [{ "digest": layer }, { "digest": "sha512:abc" }],
        })
        .to_string();
        let manifest_digest = put(&store, manifest.as_bytes());
        let mut documents = Documents::new(&store);
        let contents = documents.contents(&manifest_digest).unwrap();
        assert_eq!(contents.size, manifest.len() as u64);
        let expected = Some((config_digest.clone(), config.len() as u64));
        assert_eq!(contents.config, expected);
        assert_eq!(contents.layer_blobs, [layer]);
        assert_eq!(contents.diff_ids, [diff_id]);
        assert_eq!(contents.created.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert!(contents.members.is_empty());
        // Without it, nobody knows which layers are needed.
        std::fs::remove_file(store.blob_path(&config_digest)).unwrap();
        documents.clear();
        let error = documents.contents(&manifest_digest).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    }

    #[test]
    fn what_is_no_document_names_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let text = put(&store, b"not json");
        let large = vec![b' '; usize::try_from(Limits::default().manifest).unwrap() + 1];
        let large = put(&store, &large);
        let mut documents = Documents::new(&store);
        let of_text = documents.contents(&text).unwrap();
        assert_eq!((of_text.size, of_text.layer_blobs.len()), (8, 0));
        assert_eq!(documents.contents(&large).unwrap().size, 0);
        // Where there is no directory of blobs, none is there.
        let none = Store::open(&folder.path().join("none"));
        let error = Documents::new(&none).contents(&text).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    }
}
