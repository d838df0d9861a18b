//! `verify`: every byte of images in the store against what names them, and the repair of what is
//! not as it should be.
//!
//! The strongest proof is the blob: its digest is in the manifest, and unpacking it once more, without
//! writing the contents of its files, shows what the tree and its seal have to be. Where no blob was
//! kept, the tree is compared with its seal.

mod documents;
mod layer;
mod replace;
mod stray;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use image_document::Descriptor;
use image_layer::worker;
use image_name::Digest;
use serde::Serialize;

use crate::error::StoreError;
use crate::open::open;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::source::ImageSource;
use crate::store::{RefRecord, Staging, Store};

/// What may be done about what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing: finding is all.
    None,
    /// A layer whose files are as they should be gets a new seal.
    Reseal,
    /// That, and what is damaged is made anew from the kept blob or from where the image came from.
    Repair,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is about, such as `layer sha256:…`.
    pub object: String,
    /// The path within a layer, where it is about one.
    pub path: Option<String>,
    /// What is wrong.
    pub problem: String,
}

/// How an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// As it should be.
    Sound,
    /// As it should be again.
    Repaired,
    /// Not as it should be.
    Damaged,
}

/// What was found of one image.
#[derive(Clone, Debug)]
pub struct ImageReport {
    /// Its name.
    pub record: RefRecord,
    /// How it is now.
    pub health: Health,
    /// Number of its layers, as far as they are known.
    pub layers: usize,
    /// Layers without a kept blob, which were compared with their seal alone.
    pub by_seal_alone: usize,
    /// What was found, before any repair.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more: u64,
}

/// What was found of one part, and what became of it.
#[derive(Clone, Debug, Default)]
struct Finding {
    problems: Vec<Problem>,
    more: u64,
    /// Whether it is as it should be by now.
    cured: bool,
    /// Of layers: whether there is no blob, or it is as it should be by now.
    blob_is_sound: bool,
    by_seal_alone: bool,
}

impl Finding {
    fn add(&mut self, object: &str, problem: impl Into<String>) {
        self.problems.push(Problem {
            object: object.to_owned(),
            path: None,
            problem: problem.into(),
        });
    }

    fn health(&self) -> Health {
        match (self.problems.is_empty(), self.cured) {
            (true, _) => Health::Sound,
            (false, true) => Health::Repaired,
            (false, false) => Health::Damaged,
        }
    }
}

/// One go over images of a store: [`Audit::images`] under a [`crate::Pin`], then, if there is
/// something to put in place, [`Audit::replace`] without one, then [`Audit::reports`].
#[derive(Debug)]
pub struct Audit {
    store: Store,
    options: FetchOptions,
    cure: Cure,
    staging: Staging,
    images: Vec<Documented>,
    /// By diff ID.
    layers: HashMap<Digest, Finding>,
    /// New directories for layers, to be put in their places.
    replacements: Vec<(Digest, PathBuf)>,
}

/// A layer that is to be looked at.
struct Job {
    descriptor: Descriptor,
    diff_id: Digest,
    /// Where an image with it came from.
    source: String,
}

/// An image whose documents were looked at.
#[derive(Debug)]
struct Documented {
    record: RefRecord,
    finding: Finding,
    layers: Vec<Digest>,
}

impl Store {
    /// Begins to verify images. Needs room for the names of their files, as half-done things.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if nothing can be written.
    pub fn audit(&self, options: &FetchOptions, cure: Cure) -> Result<Audit, StoreError> {
        Ok(Audit {
            store: self.clone(),
            options: options.clone(),
            cure,
            staging: self.stage()?,
            images: Vec::new(),
            layers: HashMap::new(),
            replacements: Vec::new(),
        })
    }
}

impl Audit {
    /// Verifies images: documents, signatures, blobs and layers, the latter in parallel. Repairs what
    /// may be repaired while pods use it.
    ///
    /// # Errors
    /// What keeps it from being verified at all, such as a full disk.
    pub fn images(&mut self, records: &[RefRecord]) -> Result<(), StoreError> {
        let mut jobs: VecDeque<Job> = VecDeque::new();
        for record in records {
            let (documented, layers) = self.documents(record)?;
            for job in layers {
                let known = jobs.iter().any(|other| other.diff_id == job.diff_id);
                if !known && !self.layers.contains_key(&job.diff_id) {
                    jobs.push_back(job);
                }
            }
            self.images.push(documented);
        }
        self.all_layers(jobs)
    }

    /// What was found of each image, and how it is now.
    #[must_use]
    pub fn reports(&self) -> Vec<ImageReport> {
        self.images.iter().map(|image| self.report(image)).collect()
    }

    fn all_layers(&mut self, jobs: VecDeque<Job>) -> Result<(), StoreError> {
        let processors = image_layer::seal::processors();
        let workers = processors.min(jobs.len());
        let threads = match workers {
            0 => return Ok(()),
            workers => processors.div_ceil(workers),
        };
        let (jobs, done) = (Mutex::new(jobs), Mutex::new(Vec::new()));
        let failed = Mutex::new(None);
        let this = &*self;
        let work = || {
            loop {
                let job = lock(&jobs).pop_front();
                let Some(job) = job else { return };
                match this.layer(&job, threads) {
                    Ok(found) => lock(&done).push((job.diff_id, found)),
                    Err(error) => {
                        lock(&jobs).clear();
                        lock(&failed).get_or_insert(error);
                    }
                }
            }
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..workers)
                // Fewer only take longer.
                .filter_map(|_| {
                    thread::Builder::new()
                        .name("verify".to_owned())
                        .spawn_scoped(scope, work)
                        .ok()
                })
                .collect();
            work();
            others
                .into_iter()
                .try_for_each(|other| worker::outcome(other.join().map(Ok), "the verification"))
        })?;
        for (diff_id, (finding, replacement)) in unlocked(done) {
            if let Some(folder) = replacement {
                self.replacements.push((diff_id.clone(), folder));
            }
            self.layers.insert(diff_id, finding);
        }
        match unlocked(failed) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn report(&self, image: &Documented) -> ImageReport {
        let mut report = ImageReport {
            record: image.record.clone(),
            health: image.finding.health(),
            layers: image.layers.len(),
            by_seal_alone: 0,
            problems: image.finding.problems.clone(),
            more: image.finding.more,
        };
        let layers = image.layers.iter();
        for finding in layers.filter_map(|diff_id| self.layers.get(diff_id)) {
            report.problems.extend(finding.problems.iter().cloned());
            report.more += finding.more;
            report.by_seal_alone += usize::from(finding.by_seal_alone);
            report.health = match (report.health, finding.health()) {
                (Health::Damaged, _) | (_, Health::Damaged) => Health::Damaged,
                (Health::Repaired, _) | (_, Health::Repaired) => Health::Repaired,
                (Health::Sound, Health::Sound) => Health::Sound,
            };
        }
        report
    }

    /// Opens the place that an image came from.
    fn origin(&self, source: &str) -> Result<Box<dyn Origin>, StoreError> {
        open(&ImageSource::parse(source)?, &self.options, &self.store)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
