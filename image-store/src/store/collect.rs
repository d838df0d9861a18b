//! Collection: what no name and no pod needs is removed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use image_layer::ContentError;
use image_name::Digest;
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;

use super::contents::Documents;
use super::durable::sync_folder;
use super::find::entries_in;
use super::image::chain_id;
use super::listing::Folders;
use super::ref_name::file_name;
use super::refs::{READ_RECORD, seconds};
use super::trash::REMOVED;
use super::{Exclusive, RefRecord, Store, Survey};
use crate::error::StoreError;

/// What a collection did, or would do.
#[derive(Clone, Debug, Default)]
pub struct GcReport {
    /// Names that were forgotten because they were not used for long.
    pub expired: Vec<RefRecord>,
    /// Blobs that were removed.
    pub blobs: usize,
    /// Layers that were removed.
    pub layers: usize,
    /// Filesystem images that were removed.
    pub filesystems: usize,
    /// Signature records that were removed.
    pub signatures: usize,
    /// Half-done things that were removed.
    pub leftovers: usize,
    /// Bytes of what was removed: blobs, and the files in layers and half-done things.
    pub freed: u64,
    /// What could not be read. Nobody knows what it needs, so if there is any, nothing was removed
    /// but expired names and what was half done.
    pub damaged: Vec<String>,
    /// What is no part of a store. It was left alone.
    pub strange: Vec<PathBuf>,
}

/// What has to stay: hexadecimal digests.
#[derive(Default)]
struct Needed {
    blobs: HashSet<String>,
    layers: HashSet<String>,
    /// Chain IDs of filesystem images, if there are any in the store.
    filesystems: Option<HashSet<String>>,
    seen: HashSet<(Digest, Digest)>,
}

/// What is to go.
#[derive(Default)]
struct Plan {
    report: GcReport,
    signatures: Vec<PathBuf>,
    layers: Vec<PathBuf>,
    filesystems: Vec<PathBuf>,
    blobs: Vec<PathBuf>,
    leftovers: Vec<PathBuf>,
}

impl Store {
    /// Removes the blobs and layers that neither a name in the store nor `in_use` needs, and what
    /// killed commands left; before that, names that were last used at `expire_at` or before.
    /// `in_use` holds the diff IDs and the digests of manifests (or indexes) that pods need.
    ///
    /// Others wait no longer than until everything is out of sight; it is removed after that.
    ///
    /// # Errors
    /// [`ContentError::Io`] if something can't be read or removed; calling again goes on from there.
    pub fn gc(
        &self,
        survey: Survey<'_>,
        in_use: &HashSet<Digest>,
        expire_at: Option<SystemTime>,
        alone: Exclusive,
    ) -> Result<GcReport, StoreError> {
        let mut plan = self.plan(survey, in_use, expire_at)?;
        for record in &plan.report.expired {
            self.remove(&record.reference)?;
        }
        let mut trash = self.trash()?;
        let gone = plan.signatures.iter().chain(&plan.filesystems);
        for path in gone.chain(&plan.layers).chain(&plan.blobs) {
            trash.take(path)?;
        }
        let mut leftovers = Vec::new();
        for path in &plan.leftovers {
            leftovers.extend(trash.take(path)?);
        }
        drop(alone);
        plan.report.add_weight(&leftovers);
        // What is half removed must not be back, whole in name, when the machine has lost power.
        for folder in [
            self.refs_folder(),
            self.signatures_folder(),
            self.filesystems_folder(),
            self.layers_folder(),
            self.blobs_folder(),
        ] {
            if folder.exists() {
                sync_folder(&folder)?;
            }
        }
        trash.empty()?;
        Ok(plan.report)
    }

    /// What [`Store::gc`] would remove now. Changes nothing.
    ///
    /// # Errors
    /// [`ContentError::Io`] if something can't be read.
    pub fn would_collect(
        &self,
        survey: Survey<'_>,
        in_use: &HashSet<Digest>,
        expire_at: Option<SystemTime>,
        _alone: &Exclusive,
    ) -> Result<GcReport, StoreError> {
        let mut plan = self.plan(survey, in_use, expire_at)?;
        plan.report.add_weight(&plan.leftovers);
        Ok(plan.report)
    }

    fn plan(
        &self,
        mut survey: Survey<'_>,
        in_use: &HashSet<Digest>,
        expire_at: Option<SystemTime>,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        let mut needed = Needed::default();
        let has_filesystems = !entries_in(&self.filesystems_folder())?.is_empty();
        needed.filesystems = has_filesystems.then(HashSet::new);
        let mut in_use = in_use.clone();
        in_use.extend(self.held()?);
        for record in survey.records(self)? {
            let record = match record {
                Ok(record) => record,
                Err(error @ StoreError::Content(ContentError::Io { .. })) => return Err(error),
                Err(error) => {
                    plan.report.damaged.push(error.to_string());
                    continue;
                }
            };
            if self.is_expired(&record, &in_use, expire_at)? {
                plan.report.expired.push(record);
                continue;
            }
            if needed
                .seen
                .insert((record.digest.clone(), record.manifest.clone()))
            {
                let tops = [&record.digest, &record.manifest];
                let marked = needed.mark(self, survey.documents(), &tops);
                plan.report.note(marked, Some(&record))?;
            }
        }
        for digest in &in_use {
            needed.layers.insert(digest.hex().to_owned());
            if self.has_blob(digest)? {
                let marked = needed.mark(self, survey.documents(), &[digest]);
                plan.report.note(marked, None)?;
            }
        }
        self.plan_tmp(&mut plan)?;
        self.plan_signatures(&mut needed, &mut plan)?;
        self.plan_blobs(&needed, &mut plan)?;
        self.plan_filesystems(&needed, &mut plan)?;
        self.plan_layers(&needed, &mut plan)?;
        plan.settle();
        Ok(plan)
    }

    /// Whether a name goes for not having been used. Asked again of the record itself, since a use
    /// changes no more than its time.
    fn is_expired(
        &self,
        record: &RefRecord,
        in_use: &HashSet<Digest>,
        expire_at: Option<SystemTime>,
    ) -> Result<bool, StoreError> {
        let Some(at) = expire_at.map(seconds) else {
            return Ok(false);
        };
        let is_old = |record: &RefRecord| record.used_at <= at;
        let is_used = in_use.contains(&record.digest) || in_use.contains(&record.manifest);
        if is_used || !is_old(record) {
            return Ok(false);
        }
        let now = self.read_ref(&file_name(&record.reference))?;
        Ok(now.as_ref().is_some_and(is_old))
    }

    fn plan_tmp(&self, plan: &mut Plan) -> Result<(), StoreError> {
        let tmp = self.tmp_folder();
        for name in entries_in(&tmp)? {
            let path = tmp.join(name);
            let lock = match rustix::fs::open(&path, READ_RECORD, Mode::empty()) {
                Ok(entry) => File::from(entry),
                Err(Errno::NOENT) => continue,
                // Nobody locks what can't be opened.
                Err(Errno::LOOP | Errno::NXIO) => {
                    plan.leftovers.push(path);
                    continue;
                }
                Err(error) => return Err(StoreError::io("cannot open", &path, error)),
            };
            // Who lives holds a lock on it, and nobody comes to life now.
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                plan.leftovers.push(path);
            }
        }
        Ok(())
    }

    /// Plans the end of signature records of what is not needed, and marks what the others need.
    fn plan_signatures(&self, needed: &mut Needed, plan: &mut Plan) -> Result<(), StoreError> {
        let folder = self.signatures_folder();
        for name in entries_in(&folder)? {
            let path = folder.join(&name);
            let subject = name
                .to_str()
                .and_then(|name| name.strip_prefix("sha256-"))
                .and_then(|digits| Digest::parse(&format!("sha256:{digits}")).ok());
            let Some(subject) = subject else {
                plan.report.strange.push(path);
                continue;
            };
            if !needed.blobs.contains(subject.hex()) {
                plan.signatures.push(path);
                continue;
            }
            match self.signature_blobs(&subject) {
                Ok(blobs) => needed
                    .blobs
                    .extend(blobs.iter().map(|blob| blob.hex().to_owned())),
                Err(error) => plan.report.note(Err(error), None)?,
            }
        }
        Ok(())
    }

    fn plan_filesystems(&self, needed: &Needed, plan: &mut Plan) -> Result<(), StoreError> {
        let folder = self.filesystems_folder();
        for name in entries_in(&folder)? {
            let path = folder.join(&name);
            let text = name.to_str().unwrap_or_default();
            let was_removed = text.strip_prefix(REMOVED);
            let digits = was_removed.unwrap_or(text);
            let is_needed = || {
                let needed = needed.filesystems.as_ref();
                needed.is_some_and(|needed| needed.contains(digits))
            };
            match Digest::parse(&format!("sha256:{digits}")) {
                Err(_) => plan.report.strange.push(path),
                Ok(_) if was_removed.is_none() && is_needed() => {}
                Ok(_) => {
                    plan.report.freed = plan.report.freed.saturating_add(weight(&path));
                    plan.filesystems.push(path);
                }
            }
        }
        Ok(())
    }

    fn plan_layers(&self, needed: &Needed, plan: &mut Plan) -> Result<(), StoreError> {
        let folders = Folders::of(self);
        let folder = self.layers_folder();
        for name in entries_in(&folder)? {
            let path = folder.join(&name);
            let text = name.to_str().unwrap_or_default();
            let was_removed = text.strip_prefix(REMOVED);
            let digits = was_removed.unwrap_or(text);
            match Digest::parse(&format!("sha256:{digits}")) {
                Err(_) => plan.report.strange.push(path),
                Ok(_) if was_removed.is_none() && needed.layers.contains(digits) => {}
                Ok(diff_id) => {
                    let size = folders.layer_size(&diff_id).unwrap_or_default();
                    plan.report.freed = plan.report.freed.saturating_add(size);
                    plan.layers.push(path);
                }
            }
        }
        Ok(())
    }

    fn plan_blobs(&self, needed: &Needed, plan: &mut Plan) -> Result<(), StoreError> {
        let folders = Folders::of(self);
        let folder = self.blobs_folder();
        for name in entries_in(&folder)? {
            let path = folder.join(&name);
            let text = name.to_str().unwrap_or_default();
            match Digest::parse(&format!("sha256:{text}")) {
                Err(_) => plan.report.strange.push(path),
                Ok(_) if needed.blobs.contains(text) => {}
                Ok(digest) => {
                    plan.report.freed =
                        plan.report.freed.saturating_add(folders.blob_size(&digest));
                    plan.blobs.push(path);
                }
            }
        }
        Ok(())
    }
}

impl Needed {
    /// Marks these documents and all that is below them.
    fn mark(
        &mut self,
        store: &Store,
        documents: &mut Documents<'_>,
        tops: &[&Digest],
    ) -> Result<(), StoreError> {
        for (digest, contents) in documents.below(tops)? {
            let config = contents.config.iter().map(|(config, _)| config);
            let blobs = config.chain(&contents.layer_blobs).chain([&digest]);
            self.blobs.extend(blobs.map(|blob| blob.hex().to_owned()));
            let layers = contents.diff_ids.iter();
            self.layers
                .extend(layers.map(|layer| layer.hex().to_owned()));
            let Some(filesystems) = &mut self.filesystems else {
                continue;
            };
            match store.stacked(contents.diff_ids.clone()) {
                Ok(layers) => filesystems.extend(chain_id(&layers).map(|id| id.hex().to_owned())),
                // It can't be started, and so needs no filesystem.
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl GcReport {
    fn add_weight(&mut self, paths: &[PathBuf]) {
        for path in paths {
            self.freed = self.freed.saturating_add(weight(path));
        }
    }

    /// Keeps what is damaged for the report; what can't be read just now ends the collection.
    fn note(
        &mut self,
        marked: Result<(), StoreError>,
        record: Option<&RefRecord>,
    ) -> Result<(), StoreError> {
        match (marked, record) {
            (Ok(()), _) => {}
            (Err(error @ StoreError::Content(ContentError::Io { .. })), _) => return Err(error),
            (Err(error), Some(record)) => {
                self.damaged.push(format!("{}: {error}", record.reference));
            }
            (Err(error), None) => self.damaged.push(error.to_string()),
        }
        Ok(())
    }
}

impl Plan {
    /// Where something is damaged, what nobody seems to need may well be needed.
    fn settle(&mut self) {
        if !self.report.damaged.is_empty() {
            self.signatures.clear();
            self.layers.clear();
            self.filesystems.clear();
            self.blobs.clear();
            self.report.freed = 0;
        }
        self.report.signatures = self.signatures.len();
        self.report.layers = self.layers.len();
        self.report.filesystems = self.filesystems.len();
        self.report.blobs = self.blobs.len();
        self.report.leftovers = self.leftovers.len();
    }
}

/// Bytes of a file, or of all files below a directory. Half-done things may be deep.
fn weight(path: &Path) -> u64 {
    let mut open = vec![path.to_owned()];
    let mut sum = 0_u64;
    while let Some(path) = open.pop() {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                open.extend(entries.map(|entry| entry.path()));
            }
            Ok(metadata) if metadata.is_file() => sum = sum.saturating_add(metadata.len()),
            _ => {}
        }
    }
    sum
}
