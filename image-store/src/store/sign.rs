//! Writing signatures into the store: those that a fetch found, and those that were made here.

use std::fs::{self, File};
use std::path::Path;

use atomic_file::Durability;
use image_document::cosign::{self, MAX_SIGNATURES};
use image_document::referrer::{self, BundleLimits, Referrer};
use image_document::{RawManifest, media_type};
use image_layer::{ContentError, Limits, sha256};
use image_name::Digest;
use rustix::fs::{FlockOperation, flock};

use super::Store;
use super::durable::{publish, sync_folder};
use super::paths::make_folder;
use super::signatures::{BundleRecord, Signature, SignatureRecord, signed_layers};
use crate::error::StoreError;

/// What a fetch found of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// cosign's manifest as it is there and its configuration, if all of it can be kept.
    pub(crate) manifest: Option<(Vec<u8>, Vec<u8>)>,
    /// The signatures in it.
    pub(crate) simple: Vec<Signature>,
    /// The bundles that refer to the subject.
    pub(crate) bundles: Vec<Referrer>,
}

impl Store {
    /// Adds a signature in cosign's tag format for a manifest or index to the store. One that is
    /// there already changes nothing. Durable when this returns.
    ///
    /// # Errors
    /// [`ContentError::Io`] or [`ContentError::NoSpace`], or what is wrong with the ones that are there.
    pub fn add_signature(
        &self,
        subject: &Digest,
        payload: &[u8],
        signature: &str,
    ) -> Result<(), StoreError> {
        let _pin = self.pin()?;
        let mut change = Change::begin(self, subject)?;
        let manifest = change.simple()?;
        if let Some(added) = cosign::append(manifest.as_deref(), payload, signature)? {
            change.take_simple(added.manifest, added.config, &[payload]);
        }
        change.commit()
    }

    /// Adds a Sigstore bundle (its JSON) about a manifest or index that is in the store. One that is
    /// there already changes nothing. Durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the store hasn't the subject; [`ContentError::LimitExceeded`] for a
    /// bundle that is too large or one too many; as [`Store::add_signature`].
    pub fn add_bundle(&self, subject: &Digest, bundle: &[u8]) -> Result<(), StoreError> {
        let _pin = self.pin()?;
        let bytes = self.read_blob("manifest", subject, Limits::default().manifest)?;
        let document = RawManifest {
            media_type: media_type::of_manifest(&bytes, ""),
            digest: subject.clone(),
            bytes,
        };
        let new = referrer::of_bundle(&document, bundle)?;
        let mut change = Change::begin(self, subject)?;
        let digest = sha256(bundle);
        if change.record.bundles.iter().any(|own| own.bundle == digest) {
            return Ok(());
        }
        let room = change.room()?;
        let BundleLimits { count, size, total } = self.bundle_limits;
        if bundle.len() as u64 > size.min(room) || change.record.bundles.len() >= count {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what: format!("signature bundles of {subject}"),
                limit: format!("{count} of at most {size} bytes, and {total} bytes in all"),
            }));
        }
        let at = change.record.bundles.len();
        change.insert(at, new);
        change.commit()
    }

    /// Takes up what a fetch found. What the origin has comes first; what the store had before goes
    /// behind it, as far as the limits go.
    pub(crate) fn add_found(&self, subject: &Digest, found: &Found) -> Result<(), StoreError> {
        if found.simple.is_empty() && found.bundles.is_empty() {
            return Ok(());
        }
        let _pin = self.pin()?;
        let mut change = Change::begin(self, subject)?;
        change.take_found(found)?;
        let known = std::mem::take(&mut change.record.bundles);
        let BundleLimits { count, total, .. } = self.bundle_limits;
        let (mut room, mut taken) = (total, Vec::new());
        for new in found.bundles.iter().take(count) {
            room = room.saturating_sub(new.bundle.len() as u64);
            taken.push(sha256(&new.bundle));
            change.insert(change.record.bundles.len(), new.clone());
        }
        for old in known {
            let size = change.blob_size(&old.bundle)?;
            let fits = change.record.bundles.len() < count && size <= room;
            if fits && !taken.contains(&old.bundle) {
                room -= size;
                change.record.bundles.push(old);
            }
        }
        change.commit()
    }
}

/// Reading, changing and writing a record: one at a time.
struct Change<'a> {
    store: &'a Store,
    subject: &'a Digest,
    before: SignatureRecord,
    record: SignatureRecord,
    blobs: Vec<Vec<u8>>,
    _lock: File,
}

impl<'a> Change<'a> {
    fn begin(store: &'a Store, subject: &'a Digest) -> Result<Self, StoreError> {
        let folder = store.signatures_folder();
        make_folder(&folder)?;
        make_folder(&store.blobs_folder())?;
        let lock = File::open(&folder).map_err(|e| StoreError::io("cannot open", &folder, e))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| StoreError::io("cannot lock", &folder, error))?;
        let before = match store.signature_record(subject) {
            Err(StoreError::Damaged { .. }) => SignatureRecord::default(),
            other => other?.unwrap_or_default(),
        };
        Ok(Self {
            store,
            subject,
            record: before.clone(),
            before,
            blobs: Vec::new(),
            _lock: lock,
        })
    }

    /// cosign's manifest as it is on record.
    fn simple(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let simple = self.record.simple.as_ref();
        simple
            .map(|digest| Ok(self.store.simple_manifest(digest)?.0))
            .transpose()
    }

    fn take_simple(&mut self, manifest: Vec<u8>, config: Vec<u8>, payloads: &[&[u8]]) {
        self.record.simple = Some(sha256(&manifest));
        self.blobs
            .extend(payloads.iter().map(|payload| payload.to_vec()));
        self.blobs.extend([config, manifest]);
    }

    /// The manifest of the origin with what the store alone has behind it.
    fn take_found(&mut self, found: &Found) -> Result<(), StoreError> {
        if found.simple.is_empty() {
            return Ok(());
        }
        let known = self.known_simple()?;
        let kept_as_is = found.manifest.is_some();
        let (mut manifest, mut config) = match found.manifest.clone() {
            Some((manifest, config)) => (Some(manifest), config),
            None => (None, Vec::new()),
        };
        let new = found.simple.iter().filter(|_| !kept_as_is);
        let room = MAX_SIGNATURES.saturating_sub(found.simple.len());
        let old = known.iter().filter(|one| !found.simple.contains(one));
        for one in new.chain(old.take(room)) {
            let bytes = manifest.as_deref();
            if let Some(added) = cosign::append(bytes, &one.payload, &one.signature)? {
                (manifest, config) = (Some(added.manifest), added.config);
            }
        }
        let payloads = found.simple.iter().map(|one| one.payload.as_slice());
        let payloads: Vec<&[u8]> = payloads.collect();
        if let Some(manifest) = manifest {
            self.take_simple(manifest, config, &payloads);
        }
        Ok(())
    }

    /// The signatures on record; none where the record is damaged, so that a fetch repairs it.
    fn known_simple(&self) -> Result<Vec<Signature>, StoreError> {
        let Some(simple) = &self.record.simple else {
            return Ok(Vec::new());
        };
        let read = || {
            let (_, manifest) = self.store.simple_manifest(simple)?;
            let layers = signed_layers(&manifest).into_iter();
            layers
                .map(|(layer, signature)| {
                    let what = "signed payload";
                    let payload = self.store.read_blob(what, &layer.digest, layer.size)?;
                    Ok(Signature { payload, signature })
                })
                .collect()
        };
        match read() {
            Err(error @ StoreError::Content(ContentError::Io { .. })) => Err(error),
            other => Ok(other.unwrap_or_default()),
        }
    }

    fn insert(&mut self, at: usize, new: Referrer) {
        let record = BundleRecord {
            manifest: sha256(&new.manifest),
            config: sha256(&new.config),
            bundle: sha256(&new.bundle),
            predicate_type: referrer::predicate_type(&new.bundle),
        };
        self.record.bundles.insert(at, record);
        self.blobs.extend([new.config, new.bundle, new.manifest]);
    }

    fn blob_size(&self, digest: &Digest) -> Result<u64, StoreError> {
        let path = self.store.blob_path(digest);
        // One that is gone counts as too large, and falls out of the record.
        Ok(fs::metadata(path).map_or(u64::MAX, |metadata| metadata.len()))
    }

    /// Bytes that bundles may still have.
    fn room(&self) -> Result<u64, StoreError> {
        let mut room = self.store.bundle_limits.total;
        for one in &self.record.bundles {
            room = room.saturating_sub(self.blob_size(&one.bundle)?);
        }
        Ok(room)
    }

    /// Writes the blobs, and then the record that names them.
    fn commit(self) -> Result<(), StoreError> {
        let store = self.store;
        let missing = |blob: &&Vec<u8>| {
            let size = blob.len() as u64;
            store.read_blob("blob", &sha256(blob), size).is_err()
        };
        let blobs: Vec<&Vec<u8>> = self.blobs.iter().filter(missing).collect();
        if self.record == self.before && blobs.is_empty() {
            return Ok(());
        }
        let staging = store.stage()?;
        let write = |bytes: &[u8], name: &str, to: &Path| {
            let from = staging.write(name, bytes)?;
            publish(&from, to, Durability::Content)
        };
        for blob in blobs {
            let digest = sha256(blob);
            write(blob, digest.hex(), &store.blob_path(&digest))?;
        }
        sync_folder(&store.blobs_folder())?;
        let path = store.signature_record_path(self.subject);
        write(&self.record.to_bytes(), "record", &path)?;
        sync_folder(&store.signatures_folder())
    }
}
