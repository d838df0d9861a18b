//! What the store holds, and what it costs.

use std::collections::HashMap;
use std::fs;

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};

use super::image::Documents;
use super::{RefRecord, Store};
use crate::error::StoreError;
use crate::manifest::{Platform, parse_config};
use crate::origin::Limits;

/// One name in the store.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The name and what it stands for.
    pub record: RefRecord,
    /// Bytes on disk of all that the image needs.
    pub size: u64,
    /// Bytes of that which no other name needs: what a removal would free, unless a pod needs it.
    pub exclusive: u64,
    /// Number of layers.
    pub layers: usize,
    /// Date of its configuration, as written there.
    pub created: Option<String>,
    /// Why the image can't be used, if it can't.
    pub damaged: Option<String>,
}

/// What is kept beside the tree of a layer.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LayerFacts {
    version: u32,
    /// Bytes of all files, holes included.
    pub(super) size: u64,
    /// Entries of the archive.
    entries: u64,
}

impl LayerFacts {
    pub(crate) fn new(size: u64, entries: u64) -> Self {
        Self {
            version: 1,
            size,
            entries,
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        // Numbers always serialize.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

/// A thing on disk that images share.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Part {
    Blob(Digest),
    Layer(Digest),
}

impl Store {
    /// All images by name, with their sizes, and the records that can't be read.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the store can't be read at all.
    pub fn list(&self) -> Result<(Vec<Listing>, Vec<StoreError>), StoreError> {
        let mut unreadable = Vec::new();
        let mut sizes: HashMap<Part, u64> = HashMap::new();
        let mut users: HashMap<Part, usize> = HashMap::new();
        let mut seen: HashMap<Digest, (Vec<Part>, Listing)> = HashMap::new();
        let mut rows: Vec<(Vec<Part>, Listing)> = Vec::new();
        for record in self.all_refs()? {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    unreadable.push(error);
                    continue;
                }
            };
            let key = record.manifest.clone();
            let same_top = |other: &&(Vec<Part>, Listing)| other.1.record.digest == record.digest;
            let (parts, mut listing) = match seen.get(&key).filter(same_top) {
                Some(known) => known.clone(),
                None => {
                    let new = self.row(&record);
                    seen.insert(key, new.clone());
                    new
                }
            };
            listing.record = record;
            for part in &parts {
                if !sizes.contains_key(part) {
                    sizes.insert(part.clone(), self.part_size(part));
                }
                *users.entry(part.clone()).or_default() += 1;
            }
            rows.push((parts, listing));
        }
        let listings = rows
            .into_iter()
            .map(|(parts, mut listing)| {
                for part in &parts {
                    let size = sizes.get(part).copied().unwrap_or_default();
                    listing.size = listing.size.saturating_add(size);
                    if users.get(part) == Some(&1) {
                        listing.exclusive = listing.exclusive.saturating_add(size);
                    }
                }
                listing
            })
            .collect();
        Ok((listings, unreadable))
    }

    fn row(&self, record: &RefRecord) -> (Vec<Part>, Listing) {
        let mut listing = Listing {
            record: record.clone(),
            size: 0,
            exclusive: 0,
            layers: 0,
            created: None,
            damaged: None,
        };
        let mut parts = vec![Part::Blob(record.digest.clone())];
        if let Err(error) = self.parts(record, &mut parts, &mut listing) {
            listing.damaged = Some(error.to_string());
        }
        // An image may have one layer twice.
        let mut once = std::collections::HashSet::new();
        parts.retain(|part| once.insert(part.clone()));
        (parts, listing)
    }

    fn parts(
        &self,
        record: &RefRecord,
        parts: &mut Vec<Part>,
        listing: &mut Listing,
    ) -> Result<(), StoreError> {
        // Whatever platform it was fetched for, its manifest is on record.
        let anything = Platform::host();
        parts.push(Part::Blob(record.manifest.clone()));
        let Documents { manifest, .. } = self.documents(&record.manifest, &anything)?;
        parts.push(Part::Blob(manifest.config.digest.clone()));
        parts.extend(
            manifest
                .layers
                .iter()
                .map(|layer| Part::Blob(layer.digest.clone())),
        );
        let limit = Limits::default().config;
        let bytes = self.read_blob("configuration", &manifest.config.digest, limit)?;
        let (config, diff_ids) = match parse_config("configuration", &bytes, &manifest, &anything) {
            Err(StoreError::NoPlatform { available, .. }) => {
                let own = available.first().map(|p| p.parse()).transpose()?;
                let own = own.unwrap_or(anything);
                parse_config("configuration", &bytes, &manifest, &own)?
            }
            other => other?,
        };
        listing.layers = diff_ids.len();
        listing.created = config.created().clone();
        for diff_id in diff_ids {
            let missing = !self.has_layer(&diff_id)?;
            parts.push(Part::Layer(diff_id.clone()));
            if missing {
                return Err(StoreError::Missing {
                    what: "layer".to_owned(),
                    digest: diff_id,
                });
            }
        }
        Ok(())
    }

    fn part_size(&self, part: &Part) -> u64 {
        match part {
            Part::Blob(digest) => self
                .blob_path(digest)
                .ok()
                .and_then(|path| fs::metadata(path).ok())
                .map_or(0, |metadata| metadata.len()),
            Part::Layer(diff_id) => self.layer_facts(diff_id).size,
        }
    }

    /// What is on record of a layer; zeros if nothing is.
    pub(super) fn layer_facts(&self, diff_id: &Digest) -> LayerFacts {
        self.layer_folder(diff_id)
            .ok()
            .and_then(|folder| fs::read(folder.join("layer.json")).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }
}
