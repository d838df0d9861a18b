//! What the store holds, and what it costs.

use std::fs::File;
use std::io::Read;

use image_name::Digest;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use serde::{Deserialize, Serialize};

use super::contents::Documents;
use super::digest_map::{DigestMap, DigestSet};
use super::find::names_in;
use super::{RefRecord, Store};
use crate::error::StoreError;

/// One name in the store.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The name and what it stands for.
    pub record: RefRecord,
    /// Bytes of all that the image needs: documents, signatures, compressed and unpacked layers.
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
    /// Bytes of all files, holes included, and of the seal.
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

/// All parts that were met, by number.
#[derive(Default)]
struct Parts {
    folders: Folders,
    blobs: DigestMap<Digest, usize>,
    layers: DigestMap<Digest, usize>,
    /// `None` for a layer that is missing.
    sizes: Vec<Option<u64>>,
    /// How many names need it.
    users: Vec<usize>,
}

impl Parts {
    /// The number of a blob, which is looked at if it is new and its size isn't known.
    fn blob(&mut self, digest: &Digest, size: Option<u64>) -> usize {
        if let Some(number) = self.blobs.get(digest) {
            return *number;
        }
        let number = self.add(size.or_else(|| Some(self.folders.blob_size(digest))));
        self.blobs.insert(digest.clone(), number);
        number
    }

    /// The number of a layer, which is looked at if it is new.
    fn layer(&mut self, diff_id: &Digest) -> usize {
        if let Some(number) = self.layers.get(diff_id) {
            return *number;
        }
        let number = self.add(self.folders.layer_size(diff_id));
        self.layers.insert(diff_id.clone(), number);
        number
    }

    fn add(&mut self, size: Option<u64>) -> usize {
        self.sizes.push(size);
        self.users.push(0);
        self.sizes.len() - 1
    }

    /// One more name needs these.
    fn count_user(&mut self, parts: &[usize]) {
        for &part in parts {
            if let Some(users) = self.users.get_mut(part) {
                *users += 1;
            }
        }
    }

    /// Bytes of these parts, and of those that one name alone needs.
    fn sum(&self, parts: &[usize]) -> (u64, u64) {
        let mut sums = (0_u64, 0_u64);
        for &part in parts {
            let size = self.sizes.get(part).copied().flatten().unwrap_or_default();
            sums.0 = sums.0.saturating_add(size);
            if self.users.get(part) == Some(&1) {
                sums.1 = sums.1.saturating_add(size);
            }
        }
        sums
    }
}

/// What all names of one image have in common.
#[derive(Default)]
struct Facts {
    /// Each once.
    parts: Vec<usize>,
    layers: usize,
    created: Option<String>,
    damaged: Option<String>,
}

impl Facts {
    /// A name of the image. Its sizes are known only when all names are.
    fn listing(&self, record: RefRecord) -> Listing {
        Listing {
            record,
            size: 0,
            exclusive: 0,
            layers: self.layers,
            created: self.created.clone(),
            damaged: self.damaged.clone(),
        }
    }
}

impl Store {
    /// All images by name, with their sizes, and the records that can't be read. Each document is
    /// read once, however many names stand for it.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the store can't be read at all.
    pub fn list(&self) -> Result<(Vec<Listing>, Vec<StoreError>), StoreError> {
        let mut documents = Documents::new(self);
        let mut parts = Parts {
            folders: Folders::of(self),
            ..Parts::default()
        };
        // By what the name stands for: its manifests, of which there is more than one where an index was
        // fetched for several platforms.
        let mut images: DigestMap<Digest, Vec<(Digest, usize)>> = DigestMap::default();
        let mut facts: Vec<Facts> = Vec::new();
        let mut listings: Vec<Listing> = Vec::new();
        // Which of the facts are those of each.
        let mut places: Vec<usize> = Vec::new();
        let mut unreadable = Vec::new();
        let signed: DigestSet<String> = names_in(&self.signatures_folder())?.into_iter().collect();
        self.each_ref(|record| {
            let record = match record {
                Ok(record) => record,
                Err(error) => return unreadable.push(error),
            };
            let known = images.get(&record.digest).into_iter().flatten();
            let mut known = known.filter(|(manifest, _)| *manifest == record.manifest);
            let place = match known.next() {
                Some((_, place)) => *place,
                None => {
                    facts.push(self.facts(&record, &mut documents, &mut parts, &signed));
                    let place = facts.len() - 1;
                    let manifests = images.entry(record.digest.clone()).or_default();
                    manifests.push((record.manifest.clone(), place));
                    place
                }
            };
            if let Some(facts) = facts.get(place) {
                parts.count_user(&facts.parts);
                listings.push(facts.listing(record));
                places.push(place);
            }
        })?;
        let sums: Vec<_> = facts.iter().map(|facts| parts.sum(&facts.parts)).collect();
        for (listing, place) in listings.iter_mut().zip(places) {
            (listing.size, listing.exclusive) = sums.get(place).copied().unwrap_or_default();
        }
        Ok((listings, unreadable))
    }

    fn facts(
        &self,
        record: &RefRecord,
        documents: &mut Documents<'_>,
        parts: &mut Parts,
        signed: &DigestSet<String>,
    ) -> Facts {
        let mut facts = Facts::default();
        if let Err(error) = self.look(record, documents, parts, signed, &mut facts) {
            facts.damaged = Some(error.to_string());
        }
        // An image may have one layer twice.
        facts.parts.sort_unstable();
        facts.parts.dedup();
        facts
    }

    fn look(
        &self,
        record: &RefRecord,
        documents: &mut Documents<'_>,
        parts: &mut Parts,
        signed: &DigestSet<String>,
        facts: &mut Facts,
    ) -> Result<(), StoreError> {
        // The next image has documents of its own.
        documents.clear();
        let below = documents.of(record)?;
        let mut missing = None;
        for (digest, contents) in &below {
            let mut blob = |digest: &Digest, size: Option<u64>| {
                facts.parts.push(parts.blob(digest, size));
            };
            blob(digest, Some(contents.size));
            if let Some((config, size)) = &contents.config {
                blob(config, Some(*size));
            }
            for layer in &contents.layer_blobs {
                blob(layer, None);
            }
            if signed.contains(&["sha256-", digest.hex()].concat()) {
                for signature in self.signature_blobs(digest)? {
                    blob(&signature, None);
                }
            }
            for diff_id in &contents.diff_ids {
                let number = parts.layer(diff_id);
                facts.parts.push(number);
                if *digest == record.manifest && parts.sizes.get(number) == Some(&None) {
                    missing.get_or_insert(diff_id.clone());
                }
            }
            if *digest == record.manifest {
                facts.layers = contents.diff_ids.len();
                facts.created = contents.created.clone();
            }
        }
        match missing {
            None => Ok(()),
            Some(digest) => Err(StoreError::Missing {
                what: "layer".to_owned(),
                digest,
            }),
        }
    }
}

/// The directories of the parts, open: the way there is walked once for many.
#[derive(Default)]
pub(super) struct Folders {
    blobs: Option<File>,
    layers: Option<File>,
}

impl Folders {
    pub(super) fn of(store: &Store) -> Self {
        Self {
            blobs: File::open(store.blobs_folder()).ok(),
            layers: File::open(store.layers_folder()).ok(),
        }
    }

    /// Bytes of a blob; none if it is not there, as compressed layers may be.
    pub(super) fn blob_size(&self, digest: &Digest) -> u64 {
        let Some(folder) = &self.blobs else { return 0 };
        statat(folder, digest.hex(), AtFlags::SYMLINK_NOFOLLOW)
            .ok()
            .and_then(|stat| u64::try_from(stat.st_size).ok())
            .unwrap_or_default()
    }

    /// Bytes of a layer as they are on record, none if nothing is; `None` if it is not there.
    pub(super) fn layer_size(&self, diff_id: &Digest) -> Option<u64> {
        let folder = self.layers.as_ref()?;
        let path = [diff_id.hex(), "/layer.json"].concat();
        let read = OFlags::RDONLY.union(OFlags::CLOEXEC);
        match openat(folder, path, read, Mode::empty()) {
            Ok(file) => Some(read_facts(file.into()).size),
            Err(_) => {
                let tree = format!("{}/fs", diff_id.hex());
                let there = statat(folder, tree, AtFlags::SYMLINK_NOFOLLOW).is_ok();
                there.then_some(0)
            }
        }
    }
}

/// One read: it is some dozens of bytes.
fn read_facts(mut file: File) -> LayerFacts {
    let mut bytes = [0; 4096];
    let length = file.read(&mut bytes).unwrap_or_default();
    let facts = bytes.get(..length).unwrap_or_default();
    serde_json::from_slice(facts).unwrap_or_default()
}
