//! The images of the store, by their ids.

use std::collections::BTreeMap;

use image_document::Platform;
use image_name::Digest;
use image_store::{Image, RefRecord, Store};

use crate::error::CriError;

/// An image, and all names that the store has for it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The image.
    pub(super) image: Image,
    /// Its names; at least one.
    pub(super) names: Vec<RefRecord>,
}

impl Stored {
    /// Its id.
    pub(super) fn id(&self) -> &Digest {
        self.image.config_digest()
    }
}

/// What a name stands for; `None` if that is damaged, or can't run here: kubelets pull such an image again.
pub(super) fn load(store: &Store, record: &RefRecord) -> Option<Image> {
    store.image(&record.digest, &Platform::host()).ok()
}

/// All images of the store, in the order of their ids.
///
/// # Errors
/// If the store can't be read.
pub(super) fn all(store: &Store) -> Result<Vec<Stored>, CriError> {
    let records = store.references().map_err(engine::Error::from)?;
    // Many names stand for one document, which is read once.
    let mut loaded: BTreeMap<Digest, Option<Digest>> = BTreeMap::new();
    let mut all: BTreeMap<Digest, Stored> = BTreeMap::new();
    for record in records {
        let id = match loaded.get(&record.digest) {
            Some(id) => id.clone(),
            None => {
                let image = load(store, &record);
                let id = image.as_ref().map(|image| image.config_digest().clone());
                loaded.insert(record.digest.clone(), id.clone());
                if let (Some(image), Some(id)) = (image, &id) {
                    all.entry(id.clone()).or_insert(Stored {
                        image,
                        names: Vec::new(),
                    });
                }
                id
            }
        };
        if let Some(stored) = id.and_then(|id| all.get_mut(&id)) {
            stored.names.push(record);
        }
    }
    Ok(all.into_values().collect())
}
