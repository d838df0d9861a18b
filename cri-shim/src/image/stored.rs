//! The images of the store, by their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use image_name::Digest;
use image_store::{Image, RefRecord, Store};

use super::seen::{Facts, load};
use crate::error::CriError;
use crate::shim::Shim;

/// An image, and all names that the store has for it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// What is told of it.
    pub(super) facts: Arc<Facts>,
    /// Its names; at least one.
    pub(super) names: Vec<RefRecord>,
}

impl Stored {
    /// The image itself; `None` if it is gone meanwhile.
    pub(super) fn image(&self, store: &Store) -> Option<Image> {
        self.names.iter().find_map(|name| load(store, name))
    }
}

/// All images of the store, in the order of their ids.
///
/// # Errors
/// If the store can't be read.
pub(super) fn all(shim: &Shim) -> Result<Vec<Stored>, CriError> {
    let mut all: BTreeMap<Digest, Stored> = BTreeMap::new();
    for (name, facts) in shim.images.names(&shim.engine.store())? {
        let stored = all.entry(facts.id.clone()).or_insert_with(|| Stored {
            facts,
            names: Vec::new(),
        });
        stored.names.push(name);
    }
    Ok(all.into_values().collect())
}
