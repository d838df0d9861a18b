//! Collection: what no name and no pod needs is removed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use oci_spec::image::Digest;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use super::find::names_in;
use super::signatures::signed_layers;
use super::{Exclusive, Store};
use crate::digest::{hex, parse_digest};
use crate::error::StoreError;
use crate::manifest::{Document, Manifest};
use crate::origin::Limits;

/// What a collection did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GcReport {
    /// Blobs that were removed.
    pub blobs: usize,
    /// Layers that were removed.
    pub layers: usize,
    /// Signature records that were removed.
    pub signatures: usize,
    /// Half-done things that were removed.
    pub leftovers: usize,
    /// Bytes of removed blobs, and of the files in removed layers.
    pub freed: u64,
    /// What could not be read; what it may have needed was not kept.
    pub damaged: Vec<String>,
}

/// What has to stay: hexadecimal digests.
#[derive(Default)]
struct Needed {
    blobs: HashSet<String>,
    layers: HashSet<String>,
    damaged: Vec<String>,
}

impl Needed {
    /// What is damaged can't be used and holds nothing; what can't be read just now may well be
    /// fine, so nothing is removed then.
    fn readable(
        &mut self,
        bytes: Result<Vec<u8>, StoreError>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match bytes {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error @ StoreError::Io { .. }) => Err(error),
            Err(error) => {
                self.damaged.push(error.to_string());
                Ok(None)
            }
        }
    }
}

impl Store {
    /// Removes the blobs and layers that neither a name in the store nor `in_use` needs, and what
    /// killed commands left. `in_use` holds the diff IDs and the digests of manifests (or indexes)
    /// that pods need.
    ///
    /// # Errors
    /// [`StoreError::Io`] if something can't be removed; calling again goes on from there.
    pub fn gc(&self, in_use: &HashSet<Digest>, _alone: &Exclusive) -> Result<GcReport, StoreError> {
        let mut needed = Needed::default();
        for record in self.all_refs()? {
            match record {
                Ok(record) => {
                    self.mark(&record.digest, &mut needed)?;
                    self.mark(&record.manifest, &mut needed)?;
                }
                Err(error @ StoreError::Io { .. }) => return Err(error),
                Err(error) => needed.damaged.push(error.to_string()),
            }
        }
        for digest in in_use {
            needed.layers.insert(hex(digest)?.to_owned());
            if self.has_blob(digest)? {
                self.mark(digest, &mut needed)?;
            }
        }
        let mut report = GcReport::default();
        self.sweep_tmp(&mut report)?;
        self.sweep_signatures(&mut needed, &mut report)?;
        self.sweep_layers(&needed, &mut report)?;
        self.sweep_blobs(&needed, &mut report)?;
        report.damaged = needed.damaged;
        Ok(report)
    }

    /// Marks an index or manifest and all that is below it and in the store.
    fn mark(&self, digest: &Digest, needed: &mut Needed) -> Result<(), StoreError> {
        if !needed.blobs.insert(digest.digest().to_owned()) {
            return Ok(());
        }
        let bytes = self.read_blob("manifest", digest, Limits::default().manifest);
        let Some(bytes) = needed.readable(bytes)? else {
            return Ok(());
        };
        match Document::parse(&format!("manifest {digest}"), &bytes, "") {
            Ok(Document::Index(index)) => {
                for member in index.members {
                    if self.has_blob(&member.digest)? {
                        self.mark(&member.digest, needed)?;
                    }
                }
                Ok(())
            }
            Ok(Document::Manifest(manifest)) => self.mark_manifest(&manifest, needed),
            // A blob that is in use for itself, such as a configuration.
            Err(_) => Ok(()),
        }
    }

    fn mark_manifest(&self, manifest: &Manifest, needed: &mut Needed) -> Result<(), StoreError> {
        needed
            .blobs
            .insert(manifest.config.digest.digest().to_owned());
        needed
            .blobs
            .extend(manifest.layers.iter().map(|l| l.digest.digest().to_owned()));
        let limit = Limits::default().config;
        let bytes = self.read_blob("configuration", &manifest.config.digest, limit);
        if let Some(bytes) = needed.readable(bytes)? {
            needed.layers.extend(diff_ids(&bytes));
        }
        Ok(())
    }

    fn sweep_tmp(&self, report: &mut GcReport) -> Result<(), StoreError> {
        let tmp = self.tmp_folder();
        for name in names_in(&tmp)? {
            let path = tmp.join(name);
            let entry = match File::open(&path) {
                Ok(entry) => entry,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::io("cannot open", &path, error)),
            };
            // Who lives holds a lock on it.
            if flock(&entry, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            remove(&path)?;
            report.leftovers += 1;
        }
        Ok(())
    }

    /// Removes signature records of what is not needed, and marks what the others need.
    fn sweep_signatures(
        &self,
        needed: &mut Needed,
        report: &mut GcReport,
    ) -> Result<(), StoreError> {
        let folder = self.signatures_folder();
        for name in names_in(&folder)? {
            let subject = name.strip_prefix("sha256-").unwrap_or_default().to_owned();
            if !needed.blobs.contains(&subject) {
                remove(&folder.join(&name))?;
                report.signatures += 1;
                continue;
            }
            let subject = parse_digest(&format!("sha256:{subject}"))?;
            match self.signature_manifest(&subject) {
                Ok(Some((digest, _, manifest))) => {
                    needed.blobs.insert(digest.digest().to_owned());
                    needed
                        .blobs
                        .insert(manifest.config.digest.digest().to_owned());
                    let layers = signed_layers("signatures", &manifest).unwrap_or_default();
                    let digests = layers
                        .iter()
                        .map(|(layer, _)| layer.digest.digest().to_owned());
                    needed.blobs.extend(digests);
                }
                Ok(None) => {}
                Err(error) => needed.damaged.push(error.to_string()),
            }
        }
        Ok(())
    }

    fn sweep_layers(&self, needed: &Needed, report: &mut GcReport) -> Result<(), StoreError> {
        let folder = self.layers_folder();
        for name in names_in(&folder)? {
            if needed.layers.contains(&name) {
                continue;
            }
            if let Ok(diff_id) = parse_digest(&format!("sha256:{name}")) {
                report.freed = report.freed.saturating_add(self.layer_facts(&diff_id).size);
            }
            // A layer must not be seen half removed; a name needs no space where it is full.
            let (from, to) = (folder.join(&name), folder.join(format!("removed-{name}")));
            let to = if name.starts_with("removed-") {
                from.clone()
            } else {
                to
            };
            if from != to {
                // A killed collection may have left one of that name.
                remove(&to)?;
                fs::rename(&from, &to).map_err(|e| StoreError::io("cannot remove", &from, e))?;
            }
            remove(&to)?;
            report.layers += 1;
        }
        Ok(())
    }

    fn sweep_blobs(&self, needed: &Needed, report: &mut GcReport) -> Result<(), StoreError> {
        let folder = self.blobs_folder();
        for name in names_in(&folder)? {
            if needed.blobs.contains(&name) {
                continue;
            }
            let path = folder.join(&name);
            let size = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
            remove(&path)?;
            report.freed = report.freed.saturating_add(size);
            report.blobs += 1;
        }
        Ok(())
    }
}

/// The hexadecimal diff IDs of a configuration; none if it is none.
fn diff_ids(config: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Config {
        rootfs: RootFs,
    }
    #[derive(serde::Deserialize)]
    struct RootFs {
        diff_ids: Vec<String>,
    }
    serde_json::from_slice::<Config>(config).map_or_else(
        |_| Vec::new(),
        |config| {
            let ids = config.rootfs.diff_ids.iter();
            ids.filter_map(|id| id.strip_prefix("sha256:").map(str::to_owned))
                .collect()
        },
    )
}

/// Removes a file or a folder with all in it; what is gone already is fine.
fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("cannot remove", path, error))
        }
        _ => Ok(()),
    }
}
