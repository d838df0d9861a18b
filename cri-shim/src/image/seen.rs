//! Images that were read before: read again only when one of their files is another one. What a digest names never changes,
//! but it can be damaged, and mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use image_document::Platform;
use image_name::Digest;
use image_store::{Image, RefRecord, Store};

use crate::error::CriError;

/// What lists tell of an image.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The digest of its configuration.
    pub(super) id: Digest,
    /// Bytes to transfer.
    pub(super) size: u64,
    /// The user that it says, or nothing.
    pub(super) user: String,
    /// The files that it was read from, and its layers.
    files: Vec<(PathBuf, Identity)>,
    /// Its layers.
    layers: Vec<Digest>,
    /// Whether a start has found damage in one of those.
    is_damaged: bool,
}

/// Which file it was, and which state of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    inode: u64,
    changed: (i64, i64),
}

/// The images of digests that names stand for. Forgetting them costs some reads, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<Digest, Arc<Facts>>>);

impl Facts {
    /// `None` if its files have gone meanwhile.
    fn of(image: &Image, store: &Store) -> Option<Self> {
        let documents = image.chain().iter().chain([image.config_digest()]);
        let documents = documents.map(|digest| store.blob_path(digest));
        let layers = image.layers().iter().map(|layer| layer.path.clone());
        let files = documents.chain(layers).map(|path| {
            let identity = identity(&path)?;
            Some((path, identity))
        });
        let config = image.config().config().as_ref();
        let ids = image.layers().iter().map(|layer| layer.diff_id.clone());
        let ids: Vec<_> = ids.collect();
        Some(Self {
            id: image.config_digest().clone(),
            size: image.size(),
            user: config
                .and_then(|one| one.user().clone())
                .unwrap_or_default(),
            files: files.collect::<Option<_>>()?,
            is_damaged: has_damage(store, &ids),
            layers: ids,
        })
    }

    /// Whether a start has found that it is not as it should be: kubelets pull such an image again, which mends it.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Whether all files are as they were.
    fn is_true(&self, store: &Store) -> bool {
        let mut files = self.files.iter();
        files.all(|(path, seen)| identity(path).as_ref() == Some(seen))
            && has_damage(store, &self.layers) == self.is_damaged
    }
}

/// What a name stands for; `None` if that is damaged, or can't run here: kubelets pull such an image again.
pub(super) fn load(store: &Store, record: &RefRecord) -> Option<Image> {
    store.image(&record.digest, &Platform::host()).ok()
}

fn has_damage(store: &Store, layers: &[Digest]) -> bool {
    let mut layers = layers.iter();
    layers.any(|diff_id| store.is_noted_as_damaged(diff_id))
}

fn identity(path: &Path) -> Option<Identity> {
    let file = fs::symlink_metadata(path).ok()?;
    Some(Identity {
        inode: file.ino(),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

impl Seen {
    /// The image that a name stands for; `None` if it is damaged, or can't run here.
    pub(super) fn image(&self, store: &Store, record: &RefRecord) -> Option<Arc<Facts>> {
        let seen = self.lock().get(&record.digest).cloned();
        if let Some(facts) = seen.filter(|facts| facts.is_true(store)) {
            return Some(facts);
        }
        // Read outside of the lock: a slow disk keeps nobody else waiting.
        let facts = load(store, record).and_then(|image| Facts::of(&image, store));
        let facts = facts.map(Arc::new);
        match &facts {
            Some(facts) => self.lock().insert(record.digest.clone(), Arc::clone(facts)),
            None => self.lock().remove(&record.digest),
        };
        facts
    }

    /// All names of the store with what they stand for, without those that can't be read.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(super) fn names(&self, store: &Store) -> Result<Vec<(RefRecord, Arc<Facts>)>, CriError> {
        let records = store.references().map_err(engine::Error::from)?;
        // Many names stand for one image.
        let mut looked: BTreeMap<Digest, Option<Arc<Facts>>> = BTreeMap::new();
        let mut names = Vec::with_capacity(records.len());
        for record in records {
            let facts = match looked.get(&record.digest) {
                Some(facts) => facts.clone(),
                None => {
                    let facts = self.image(store, &record);
                    looked.insert(record.digest.clone(), facts.clone());
                    facts
                }
            };
            names.extend(facts.map(|facts| (record, facts)));
        }
        let named: BTreeSet<_> = looked.keys().collect();
        self.lock().retain(|digest, _| named.contains(digest));
        Ok(names)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<Facts>>> {
        // Each entry is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_counts_until_a_file_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["manifest", "config"].map(|name| dir.path().join(name));
        let facts = || {
            let _ = paths.each_ref().map(|path| fs::write(path, "{}").unwrap());
            let seen = |path: &PathBuf| (path.clone(), identity(path).unwrap());
            Facts {
                id: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
                size: 1,
                user: String::new(),
                files: paths.iter().map(seen).collect(),
                layers: Vec::new(),
                is_damaged: false,
            }
        };
        let store = Store::open(dir.path());
        let whole = facts();
        assert!(whole.is_true(&store));
        let replaced = facts();
        fs::write(dir.path().join("new"), "{}").unwrap();
        fs::rename(dir.path().join("new"), &paths[1]).unwrap();
        assert!(!replaced.is_true(&store));
        let gone = facts();
        fs::remove_file(&paths[0]).unwrap();
        assert!(!gone.is_true(&store));
    }
}
