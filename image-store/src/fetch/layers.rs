//! The layers of one image: some at a time, each unpacked into the staging directory of the fetch.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use image_document::Descriptor;
use image_layer::seal::{Record, seal};
use image_layer::{ContentError, Intake, LayerJob, Watch, open_regular};
use image_name::Digest;

use super::begin::Fetch;
use super::event::FetchEvent;
use super::patience::Patience;
use crate::error::StoreError;
use crate::open::open;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::source::ImageSource;
use crate::store::{LayerFacts, LayerLock, Progress, Staging, Store};

/// Layers that are worked on at once: as many as there are processors, within these bounds. More would
/// only compete for the same disk, and each takes memory.
const WORKERS: std::ops::RangeInclusive<usize> = 2..=4;

/// Time between two looks: whether a layer of another command's is there, whether to stop.
const PERIOD: Duration = Duration::from_millis(20);

/// One layer that is not (all) in the store.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: Digest,
    /// Whether the tree is missing.
    unpack: bool,
    /// Whether the compressed blob is missing and wanted.
    keep: bool,
}

/// A layer in the staging directory, proven.
pub(super) struct Staged {
    pub(super) job: Job,
    /// The directory that becomes the layer, if it was unpacked.
    pub(super) folder: Option<PathBuf>,
    /// The compressed blob, if it was kept.
    pub(super) blob: Option<PathBuf>,
    /// Keeps others waiting; `None` if another had it who was given up, or was the first.
    pub(super) lock: Option<LayerLock>,
}

/// What came of the wish to stage a layer.
enum Claim {
    /// It is to be done, with the lock if nobody else has it.
    Given(Option<LayerLock>),
    /// Another command works on it.
    Busy,
}

/// What one go over the jobs gave.
pub(super) struct Outcome {
    pub(super) staged: Vec<Staged>,
    /// Layers that others were unpacking at the time.
    pub(super) busy: Vec<Job>,
}

/// The layers of `fetch` that need work; tells of all of them.
pub(super) fn jobs(
    fetch: &Fetch,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Vec<Job>, StoreError> {
    let mut jobs: Vec<Job> = Vec::new();
    for (descriptor, diff_id) in fetch.manifest.layers.iter().zip(&fetch.diff_ids) {
        let known = jobs.iter().any(|job| job.diff_id == *diff_id);
        let unpack = !known && !fetch.store.has_layer(diff_id)?;
        let kept = jobs
            .iter()
            .any(|job| job.descriptor.digest == descriptor.digest && job.keep);
        let keep =
            fetch.options.keep_layers && !kept && !fetch.store.has_blob(&descriptor.digest)?;
        let (digest, size) = (descriptor.digest.clone(), descriptor.size);
        on_event(FetchEvent::Layer {
            digest,
            size,
            present: !unpack && !keep,
        });
        if unpack || keep {
            let (descriptor, diff_id) = (descriptor.clone(), diff_id.clone());
            jobs.push(Job {
                descriptor,
                diff_id,
                unpack,
                keep,
            });
        }
    }
    Ok(jobs)
}

/// What the workers share.
struct LayerQueue<'a> {
    store: &'a Store,
    source: &'a ImageSource,
    options: &'a FetchOptions,
    staging: &'a Staging,
    progress: &'a Progress,
    jobs: Mutex<VecDeque<Job>>,
    outcome: Mutex<Outcome>,
    cancelled: AtomicBool,
    failed: Mutex<Option<StoreError>>,
    /// How long layers that others work on are waited for, instead of being put off.
    patience: Option<&'a Mutex<Patience>>,
}

/// Where the layers of a fetch are put, and how that is told.
pub(super) struct Place<'a> {
    pub(super) staging: &'a Staging,
    pub(super) progress: &'a Progress,
}

/// Works off `jobs`; waits for others with `patience`, or puts off what they work on. On error, what was
/// staged is left to the staging directory's end.
pub(super) fn work(
    fetch: &mut Fetch,
    place: &Place<'_>,
    jobs: Vec<Job>,
    patience: Option<&Mutex<Patience>>,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Outcome, StoreError> {
    let staging = place.staging;
    // There is more to come again.
    place.progress.add(0);
    let workers = match patience {
        Some(_) => 1,
        None => thread::available_parallelism()
            .map_or(*WORKERS.start(), NonZero::get)
            .clamp(*WORKERS.start(), *WORKERS.end())
            .min(jobs.len()),
    };
    let queue = LayerQueue {
        store: &fetch.store,
        source: &fetch.source,
        options: &fetch.options,
        staging,
        progress: place.progress,
        jobs: Mutex::new(jobs.into()),
        outcome: Mutex::new(Outcome {
            staged: Vec::new(),
            busy: Vec::new(),
        }),
        cancelled: AtomicBool::new(false),
        failed: Mutex::new(None),
        patience,
    };
    let mut first = Some(&mut *fetch.origin);
    let (events, incoming) = channel();
    thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..workers {
            let (queue, events, origin) = (&queue, events.clone(), first.take());
            let spawned = thread::Builder::new()
                .name("layer".to_owned())
                .spawn_scoped(scope, move || queue.work(origin, &events));
            match spawned {
                Ok(worker) => running.push(worker),
                // One worker is enough, none is not.
                Err(_) if !running.is_empty() => break,
                Err(error) => {
                    return Err(StoreError::io(
                        "cannot start a thread for",
                        staging.path(),
                        error,
                    ));
                }
            }
        }
        drop(events);
        loop {
            match incoming.recv_timeout(PERIOD) {
                Ok(event) => on_event(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if queue.options.interrupt.is_set() {
                queue.fail(StoreError::Interrupted);
            }
        }
        for worker in running {
            if worker.join().is_err() {
                queue.fail(StoreError::Content(ContentError::WorkerPanicked {
                    work: "the unpacking of a layer",
                }));
            }
        }
        Ok(())
    })?;
    if let Some(error) = queue
        .failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
    {
        return Err(error);
    }
    Ok(queue
        .outcome
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

impl LayerQueue<'_> {
    /// One worker: takes jobs until there are none or one fails. Needs an origin of its own, since
    /// an origin gives one blob at a time; the first worker has that of the fetch.
    fn work(&self, origin: Option<&mut (dyn Origin + '_)>, events: &Sender<FetchEvent>) {
        let mut opened: Option<Box<dyn Origin>> = None;
        let mut origin = origin;
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return;
            }
            let job = lock(&self.jobs).pop_front();
            let Some(job) = job else { return };
            let result = match &mut origin {
                Some(origin) => self.one(&job, &mut **origin, events),
                None => match &mut opened {
                    Some(opened) => self.one(&job, opened.as_mut(), events),
                    none => match open(self.source, self.options, self.store) {
                        Ok(new) => self.one(&job, none.insert(new).as_mut(), events),
                        Err(error) => Err(error),
                    },
                },
            };
            match result {
                Ok(Some(staged)) => lock(&self.outcome).staged.push(staged),
                Ok(None) => lock(&self.outcome).busy.push(job),
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Stages one layer; `None` if another command works on it.
    fn one(
        &self,
        job: &Job,
        origin: &mut dyn Origin,
        events: &Sender<FetchEvent>,
    ) -> Result<Option<Staged>, StoreError> {
        let digest = &job.descriptor.digest;
        let lock = match self.claim(job, events)? {
            Claim::Given(lock) => lock,
            Claim::Busy => return Ok(None),
        };
        // Another may have finished before the lock was free.
        let unpack = job.unpack && !self.store.has_layer(&job.diff_id)?;
        let present = self.store.has_blob(digest)?;
        let keep = job.keep && !present;
        let blob = match keep {
            true => Some(self.staging.path().join(format!("blob-{}", digest.hex()))),
            false => None,
        };
        let mut staged = Staged {
            job: job.clone(),
            folder: None,
            blob: blob.clone(),
            lock,
        };
        if unpack || keep {
            let told = Mutex::new(None);
            let received = |bytes: u64| {
                let mut told = self::lock(&told);
                let (due, before) = told.map_or((true, 0), |(at, bytes): (Instant, u64)| {
                    (at.elapsed() >= PERIOD, bytes)
                });
                if due || bytes >= job.descriptor.size {
                    *told = Some((Instant::now(), bytes));
                    self.progress.add(bytes.saturating_sub(before));
                    // Nobody listens only when the fetch is over.
                    drop(events.send(FetchEvent::Received {
                        digest: digest.clone(),
                        bytes,
                    }));
                }
            };
            let watch = Watch {
                received: &received,
                cancelled: &self.cancelled,
            };
            let what = format!("layer {digest}");
            let kept = match present {
                true => open_kept(&self.store.blob_path(digest))?,
                false => None,
            };
            let source: Box<dyn Read + Send + '_> = match kept {
                Some(kept) => Box::new(kept),
                None => origin.blob(digest, job.descriptor.size)?,
            };
            let intake = Intake::new(
                source,
                &what,
                job.descriptor.wanted(),
                blob.as_deref(),
                watch,
            )?;
            if unpack {
                staged.folder = Some(self.unpack(job, &what, intake)?);
            } else {
                intake.finish()?;
            }
        }
        drop(events.send(FetchEvent::Done {
            digest: digest.clone(),
        }));
        Ok(Some(staged))
    }

    /// Takes the right to stage a layer. Busy if another command has it, unless this one has nothing else to
    /// do: then it waits, and has it when the other has published the layer, or failed, or died; or gets
    /// nowhere, in which case both work on it.
    fn claim(&self, job: &Job, events: &Sender<FetchEvent>) -> Result<Claim, StoreError> {
        let mut is_told = false;
        loop {
            if let Some(lock) = self.store.lock_layer(&job.diff_id)? {
                lock.tell(self.staging, self.source.place());
                return Ok(Claim::Given(Some(lock)));
            }
            if !is_told {
                is_told = true;
                drop(events.send(FetchEvent::Waiting {
                    digest: job.descriptor.digest.clone(),
                }));
            }
            let Some(patience) = self.patience else {
                return Ok(Claim::Busy);
            };
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(StoreError::Interrupted);
            }
            let holder = self.store.layer_holder(&job.diff_id);
            let bytes = holder.as_ref().and_then(|one| self.store.progress_of(one));
            // A third command may have been first, while that one still is at it.
            let is_there = self.store.has_layer(&job.diff_id)?;
            if is_there || !lock(patience).lasts(holder, bytes, Instant::now()) {
                return Ok(Claim::Given(None));
            }
            // The other command works for seconds, and a look is a few system calls. A blocking flock(2)
            // would sleep through the cancellation, since nothing but a signal wakes it; its holder removes
            // the file, so that every try has to begin with opening it anyway.
            thread::sleep(PERIOD);
        }
    }

    fn unpack(&self, job: &Job, what: &str, intake: Intake<'_>) -> Result<PathBuf, StoreError> {
        let folder = self
            .staging
            .path()
            .join(format!("layer-{}", job.diff_id.hex()));
        let job = LayerJob {
            what,
            size: job.descriptor.size,
            diff_id: &job.diff_id,
            root: &folder.join("fs"),
            limits: &self.options.limits,
            memory: self.store.memory(),
        };
        unpack_to(&folder, &job, intake, Record::default())?;
        Ok(folder)
    }

    fn fail(&self, error: StoreError) {
        // What fails after the first only fails because of it.
        lock(&self.failed).get_or_insert(error);
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Opens a blob of the store; `None` if a collection has taken it meanwhile.
fn open_kept(path: &Path) -> Result<Option<File>, StoreError> {
    Ok(open_regular(path)?.map(|(file, _)| file))
}

/// Makes the new directory `folder` a layer with all that belongs to it; the root of `job` is `fs` there.
/// Gives what is known of its contents.
pub(crate) fn unpack_to(
    folder: &Path,
    job: &LayerJob<'_>,
    intake: Intake<'_>,
    mut record: Record,
) -> Result<Record, StoreError> {
    for path in [folder, job.root] {
        fs::create_dir(path).map_err(|e| StoreError::io("cannot create", path, e))?;
    }
    // What the layer does not say of its root is what a root directory has.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(job.root, mode)
        .map_err(|error| StoreError::io("cannot change", job.root, error))?;
    let unpacked = job.run(intake, &mut record)?;
    if unpacked.opaque {
        write(folder.join("opaque"), b"")?;
    }
    let sealed = seal(folder, job.diff_id, unpacked.opaque, &record)?;
    let size = unpacked.bytes.saturating_add(sealed);
    let facts = LayerFacts::new(size, unpacked.entries);
    write(folder.join("layer.json"), &facts.to_bytes())?;
    Ok(record)
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<(), StoreError> {
    fs::write(&path, bytes).map_err(|error| StoreError::io("cannot write", &path, error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
