//! Indexes, manifests, configurations and signatures: small, hashed as they are read.

use std::path::Path;

use atomic_file::Durability;
use image_name::Digest;

use super::{Audit, Cure, Documented, Finding, Job};
use crate::error::StoreError;
use crate::fetch::signatures_of;
use crate::limits::Limits;
use crate::manifest::{Descriptor, Document, Manifest, Platform, parse_config};
use crate::proven::{checked, small_blob};
use crate::referrer;
use crate::store::{RefRecord, make_folder, publish};

impl Audit {
    /// Looks at all of an image but its layers, and tells which those are.
    pub(super) fn documents(
        &self,
        record: &RefRecord,
    ) -> Result<(Documented, Vec<Job>), StoreError> {
        let mut finding = Finding::default();
        let mut cured = true;
        if record.digest != record.manifest {
            cured &= self.document("index", record, &record.digest, &mut finding)?;
        }
        cured &= self.document("manifest", record, &record.manifest, &mut finding)?;
        let mut jobs = Vec::new();
        match self.layers_of(record, &mut finding, &mut cured) {
            Ok(layers) => {
                jobs.extend(layers.into_iter().map(|(descriptor, diff_id)| Job {
                    descriptor,
                    diff_id,
                    source: record.source.clone(),
                }));
            }
            Err(error) => {
                cured = false;
                finding.add("image", in_reach(error)?.to_string());
            }
        }
        let mut subjects = vec![&record.digest, &record.manifest];
        subjects.dedup();
        for subject in subjects {
            cured &= self.signatures(record, subject, &mut finding)?;
        }
        finding.cured = cured;
        let documented = Documented {
            record: record.clone(),
            finding,
            layers: jobs.iter().map(|job| job.diff_id.clone()).collect(),
        };
        Ok((documented, jobs))
    }

    /// An index or a manifest; gives whether it is as it should be now.
    fn document(
        &self,
        what: &str,
        record: &RefRecord,
        digest: &Digest,
        finding: &mut Finding,
    ) -> Result<bool, StoreError> {
        let limits = &self.options.limits;
        let Err(error) = self.store.read_blob(what, digest, limits.manifest) else {
            return Ok(true);
        };
        let object = format!("{what} {digest}");
        finding.add(&object, in_reach(error)?.to_string());
        self.restore(finding, &object, || {
            let raw = self.origin(&record.source)?.manifest(digest)?;
            let raw = checked(raw, &object, None, limits)?;
            self.put_blob(&object, digest, &raw.bytes)
        })
    }

    fn layers_of(
        &self,
        record: &RefRecord,
        finding: &mut Finding,
        cured: &mut bool,
    ) -> Result<Vec<(Descriptor, Digest)>, StoreError> {
        let limits = &self.options.limits;
        let what = format!("manifest {}", record.manifest);
        let bytes = match self
            .store
            .read_blob("manifest", &record.manifest, limits.manifest)
        {
            Ok(bytes) => bytes,
            // That has been said already.
            Err(StoreError::Missing { .. } | StoreError::Damaged { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let manifest = match Document::parse(&what, &bytes, "")? {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) => {
                return Err(StoreError::BadManifest {
                    what,
                    reason: "it is an index".to_owned(),
                });
            }
        };
        let config = &manifest.config;
        if let Err(error) = self
            .store
            .read_blob("configuration", &config.digest, limits.config)
        {
            let object = format!("configuration {}", config.digest);
            finding.add(&object, in_reach(error)?.to_string());
            let restored = self.restore(finding, &object, || {
                let mut origin = self.origin(&record.source)?;
                let bytes = small_blob(origin.as_mut(), config, &object, limits.config)?;
                self.put_blob(&object, &config.digest, &bytes)
            })?;
            if !restored {
                *cured = false;
                return Ok(Vec::new());
            }
        }
        let diff_ids = self.diff_ids(&manifest, limits)?;
        Ok(manifest.layers.iter().cloned().zip(diff_ids).collect())
    }

    fn diff_ids(&self, manifest: &Manifest, limits: &Limits) -> Result<Vec<Digest>, StoreError> {
        let digest = &manifest.config.digest;
        let what = format!("configuration {digest}");
        let bytes = self
            .store
            .read_blob("configuration", digest, limits.config)?;
        // Whatever platform it was fetched for.
        let host = Platform::host();
        let parsed = match parse_config(&what, &bytes, manifest, &host) {
            Err(StoreError::NoPlatform { available, .. }) => {
                let own = available
                    .first()
                    .map(|platform| platform.parse())
                    .transpose()?;
                parse_config(&what, &bytes, manifest, &own.unwrap_or(host))
            }
            other => other,
        };
        parsed.map(|(_, diff_ids)| diff_ids)
    }

    fn signatures(
        &self,
        record: &RefRecord,
        subject: &Digest,
        finding: &mut Finding,
    ) -> Result<bool, StoreError> {
        let Err(error) = self.store.signatures(subject) else {
            return Ok(true);
        };
        let object = format!("signatures of {subject}");
        finding.add(&object, in_reach(error)?.to_string());
        self.restore(finding, &object, || {
            let mut origin = self.origin(&record.source)?;
            let mut found = signatures_of(origin.as_mut(), subject, &self.options.limits)?;
            found.bundles = referrer::bundles(origin.as_mut(), subject)?.found;
            self.store.add_found(subject, &found)?;
            // What only the store had is lost.
            self.store.signatures(subject).map(drop)
        })
    }

    /// Tries to restore something, if that is wanted; gives whether it is there now. What keeps it from
    /// being restored is added to what was found.
    pub(super) fn restore(
        &self,
        finding: &mut Finding,
        object: &str,
        restore: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<bool, StoreError> {
        if self.cure != Cure::Repair {
            return Ok(false);
        }
        match restore() {
            Ok(()) => Ok(true),
            Err(error @ StoreError::NoSpace { .. }) => Err(error),
            Err(error) => {
                finding.add(object, format!("can't be restored: {error}"));
                Ok(false)
            }
        }
    }

    /// Puts a blob in the place of a damaged or missing one. The bytes were proven.
    fn put_blob(&self, what: &str, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let found = crate::digest::sha256(bytes);
        if found != *digest {
            return Err(StoreError::DigestMismatch {
                what: what.to_owned(),
                expected: digest.to_string(),
                found: found.to_string(),
            });
        }
        let from = self
            .staging
            .write(&format!("document-{}", digest.hex()), bytes)?;
        self.publish_blob(&from, digest)
    }

    /// Moves a proven blob to its place, for good.
    pub(super) fn publish_blob(&self, from: &Path, digest: &Digest) -> Result<(), StoreError> {
        let (folder, to) = (self.store.blobs_folder(), self.store.blob_path(digest)?);
        make_folder(&folder)?;
        publish(from, &to, Durability::Full)
    }
}

/// Damage is found and told; a machine that can't be asked ends the verification.
fn in_reach(error: StoreError) -> Result<StoreError, StoreError> {
    match error {
        StoreError::NoSpace { .. } => Err(error),
        other => Ok(other),
    }
}
