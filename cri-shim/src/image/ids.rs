//! Ids of images that were read before: what a digest names never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use image_name::Digest;
use image_store::{RefRecord, Store};

use super::stored::load;
use crate::error::CriError;

/// The ids of images by the digests that their names stand for. Forgetting them costs some reads, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<BTreeMap<Digest, Digest>>);

impl Ids {
    /// All names of the store with the ids of what they stand for, without those that can't be read.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(super) fn names(&self, store: &Store) -> Result<Vec<(RefRecord, Digest)>, CriError> {
        let records = store.references().map_err(engine::Error::from)?;
        let mut known = self.lock().clone();
        let mut names = Vec::with_capacity(records.len());
        let mut damaged = BTreeSet::new();
        for record in records {
            if !known.contains_key(&record.digest) && !damaged.contains(&record.digest) {
                match load(store, &record) {
                    Some(image) => {
                        known.insert(record.digest.clone(), image.config_digest().clone());
                    }
                    None => {
                        damaged.insert(record.digest.clone());
                    }
                }
            }
            if let Some(id) = known.get(&record.digest) {
                names.push((record, id.clone()));
            }
        }
        let named: BTreeSet<_> = names.iter().map(|(record, _)| &record.digest).collect();
        known.retain(|digest, _| named.contains(digest));
        *self.lock() = known;
        Ok(names)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Digest>> {
        // Each entry is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
