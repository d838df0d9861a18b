//! Indexes, manifests, configurations and signatures: small, hashed as they are read.

use std::path::Path;

use atomic_file::Durability;
use image_document::{
    Descriptor, DocumentError, Index, Manifest, Platform, RawManifest, media_type, parse_config,
};
use image_layer::{ContentError, Limits};
use image_name::Digest;

use super::{Audit, Cure, Documented, Finding, Job};
use crate::error::StoreError;
use crate::fetch::look_up;
use crate::options::WantedBundles;
use crate::proven::{checked, small_blob};
use crate::store::{RefRecord, make_folder, publish};
use crate::walk::{Bounds, Visitor, Walk};

impl Audit {
    /// Looks at all of an image but its layers, and tells which those are.
    pub(super) fn documents(
        &self,
        record: &RefRecord,
    ) -> Result<(Documented, Vec<Job>), StoreError> {
        let mut chain = ChainOf {
            audit: self,
            record,
            finding: Finding::default(),
            cured: true,
            manifest: None,
            is_lost: false,
        };
        let layers = chain.layers()?;
        let ChainOf {
            mut finding,
            mut cured,
            ..
        } = chain;
        let jobs = layers.into_iter().map(|(descriptor, diff_id)| Job {
            descriptor,
            diff_id,
            source: record.source.clone(),
        });
        let jobs: Vec<Job> = jobs.collect();
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

    /// An index or a manifest as it should be, after a repair too; `None` if it isn't, which is told.
    fn document(
        &self,
        what: &str,
        record: &RefRecord,
        digest: &Digest,
        finding: &mut Finding,
    ) -> Result<Option<RawManifest>, StoreError> {
        let limits = &self.options.limits;
        let read = || {
            Ok(RawManifest {
                media_type: String::new(),
                bytes: self.store.read_blob(what, digest, limits.manifest)?,
                digest: digest.clone(),
            })
        };
        let error = match read() {
            Ok(raw) => return Ok(Some(raw)),
            Err(error) => error,
        };
        let object = format!("{what} {digest}");
        finding.add(&object, in_reach(error)?.to_string());
        let restored = self.restore(finding, &object, || {
            let raw = self.origin(&record.source)?.manifest(digest)?;
            let raw = checked(raw, &object, None, limits)?;
            self.put_blob(&object, digest, &raw.bytes)
        })?;
        restored.then(read).transpose()
    }

    /// The layers of a manifest, and its configuration on the way to them.
    fn layers_of(
        &self,
        record: &RefRecord,
        manifest: &Manifest,
        finding: &mut Finding,
        cured: &mut bool,
    ) -> Result<Vec<(Descriptor, Digest)>, StoreError> {
        let limits = &self.options.limits;
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
        let diff_ids = self.diff_ids(manifest, limits)?;
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
            Err(DocumentError::NoPlatform { available, .. }) => {
                let own = available
                    .first()
                    .map(|platform| platform.parse())
                    .transpose()?;
                parse_config(&what, &bytes, manifest, &own.unwrap_or(host))
            }
            other => other,
        };
        Ok(parsed?.1)
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
            let limits = &self.options.limits;
            let bytes = self.store.read_blob("manifest", subject, limits.manifest)?;
            let document = RawManifest {
                media_type: media_type::of_manifest(&bytes, ""),
                digest: subject.clone(),
                bytes,
            };
            let found = look_up(
                origin.as_mut(),
                &document,
                limits,
                &WantedBundles::default(),
            )?
            .found;
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
            Err(error @ StoreError::Content(ContentError::NoSpace { .. })) => Err(error),
            Err(error) => {
                finding.add(object, format!("can't be restored: {error}"));
                Ok(false)
            }
        }
    }

    /// Puts a blob in the place of a damaged or missing one. The bytes were proven.
    fn put_blob(&self, what: &str, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let found = image_layer::sha256(bytes);
        if found != *digest {
            return Err(StoreError::Content(ContentError::DigestMismatch {
                what: what.to_owned(),
                expected: digest.to_string(),
                found: found.to_string(),
            }));
        }
        let from = self
            .staging
            .write(&format!("document-{}", digest.hex()), bytes)?;
        self.publish_blob(&from, digest)
    }

    /// Moves a proven blob to its place, for good.
    pub(super) fn publish_blob(&self, from: &Path, digest: &Digest) -> Result<(), StoreError> {
        let (folder, to) = (self.store.blobs_folder(), self.store.blob_path(digest));
        make_folder(&folder)?;
        publish(from, &to, Durability::Full)
    }
}

/// What leads from a name to the layers, as the store has it.
struct ChainOf<'a> {
    audit: &'a Audit,
    record: &'a RefRecord,
    finding: Finding,
    cured: bool,
    manifest: Option<Manifest>,
    /// Whether the manifest was looked for, and is not as it should be.
    is_lost: bool,
}

impl ChainOf<'_> {
    /// The layers of the image; none where they can't be known, which is told.
    fn layers(&mut self) -> Result<Vec<(Descriptor, Digest)>, StoreError> {
        let (index, manifest) = (&self.record.digest, &self.record.manifest);
        if index != manifest {
            self.go("index", index)?;
        }
        // The record names the manifest too: what is wrong with the index hides nothing of it.
        if self.manifest.is_none() && !self.is_lost {
            self.go("manifest", manifest)?;
        }
        let Some(manifest) = self.manifest.take() else {
            return Ok(Vec::new());
        };
        let (finding, cured) = (&mut self.finding, &mut self.cured);
        let layers = self.audit.layers_of(self.record, &manifest, finding, cured);
        layers.or_else(|error| self.tell(error).map(|()| Vec::new()))
    }

    /// Reads a document and goes on to what it leads to.
    fn go(&mut self, what: &str, digest: &Digest) -> Result<(), StoreError> {
        let audit = self.audit;
        match audit.document(what, self.record, digest, &mut self.finding)? {
            Some(raw) => {
                let mut walk = Walk::new(Bounds::ONE_PLATFORM);
                match walk.through(raw, self) {
                    // That has been told already.
                    Err(_) if self.is_lost => {
                        self.cured = false;
                        Ok(())
                    }
                    Err(error) => self.tell(error),
                    Ok(_) => Ok(()),
                }
            }
            None => {
                self.cured = false;
                Ok(())
            }
        }
    }

    fn tell(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.cured = false;
        self.finding.add("image", in_reach(error)?.to_string());
        Ok(())
    }
}

impl Visitor for ChainOf<'_> {
    fn members<'i>(
        &mut self,
        digest: &Digest,
        index: &'i Index,
    ) -> Result<Vec<&'i Descriptor>, StoreError> {
        let wanted = &self.record.manifest;
        let mut members = index.members.iter();
        match members.find(|member| member.digest == *wanted) {
            Some(member) => Ok(vec![member]),
            None => Err(StoreError::Document(DocumentError::BadManifest {
                what: format!("index {digest}"),
                reason: format!("it does not name the manifest {wanted}"),
            })),
        }
    }

    fn read(&mut self, member: &Descriptor) -> Result<RawManifest, StoreError> {
        let (what, digest) = ("manifest", &member.digest);
        let read = self
            .audit
            .document(what, self.record, digest, &mut self.finding)?;
        self.is_lost = read.is_none();
        read.ok_or_else(|| StoreError::Missing {
            what: what.to_owned(),
            digest: digest.clone(),
        })
    }

    fn manifest(&mut self, _: &Digest, manifest: Manifest) -> Result<(), StoreError> {
        self.manifest = Some(manifest);
        Ok(())
    }

    fn leave(&mut self, _: RawManifest) {}
}

/// Damage is found and told; a machine that can't be asked ends the verification.
fn in_reach(error: StoreError) -> Result<StoreError, StoreError> {
    match error {
        StoreError::Content(ContentError::NoSpace { .. }) => Err(error),
        other => Ok(other),
    }
}
