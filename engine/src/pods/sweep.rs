//! Removing what has ended, what was given up, and what nobody needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pod::exit::PodExit;
use pod::manifest::{CRI_ANNOTATION, PodManifest};
use pod::timestamp::Timestamp;
use pod::{Phase, PodEntry, PodError, PodName, PodUuid, State};

use super::machine::collect_templates;
use super::removal::{Removal, remove, remove_seen};
use super::uses::is_beyond_start;
use crate::engine::Engine;
use crate::error::Error;
use crate::images::collection::collect;
use crate::images::in_use::note_uses;
use crate::networks::collection::{AfterFailure, clear};
use crate::observer::Observer;

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Pods after their end.
    pub ended: Duration,
    /// Prepared pods.
    pub prepared: Duration,
    /// Whether what is due is only marked: it is out of the way then, and the next sweep removes it.
    pub mark_only: bool,
}

/// What a sweep has done, told as it goes on.
#[derive(Debug)]
pub enum Swept {
    /// A pod is gone, which had this name.
    Pod(PodUuid, Option<PodName>),
    /// A pod is marked for removal: nobody finds it any more.
    Marked(PodUuid, Option<PodName>),
    /// What dead pods held of networks was given back.
    Networks(cni_glue::attach::GcReport),
    /// Images were collected.
    Images(image_store::GcReport),
    /// Something could not be done, which keeps nothing else.
    Failed(Subject, Error),
}

/// What a sweep could not do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One pod.
    Pod(PodUuid),
    /// Pods, which can't be listed.
    Pods,
    /// Pods whose preparation was interrupted.
    Aborted,
    /// Networks.
    Networks,
    /// Images.
    Images,
    /// Volumes that outlive pods.
    Volumes,
    /// Templates of virtual machines.
    Templates,
}

/// Removes what is due, and tells of each step.
pub fn sweep(
    engine: &Engine,
    keep: Retention,
    observer: &dyn Observer,
    tell: &mut dyn FnMut(Swept),
) {
    let mut sweep = Sweep {
        engine,
        observer,
        tell,
        hopeless: Vec::new(),
        mark_only: keep.mark_only,
    };
    // What pods tell of their images is gone with them.
    if let Err(error) = note_uses(engine) {
        sweep.failed(Subject::Images, error);
    }
    if !keep.mark_only {
        sweep.aborted();
    }
    sweep.phase(Phase::Run, |entry| {
        entry.state().is_ok_and(|state| state == State::Exited)
            && ended(entry).elapsed() >= keep.ended
            && !is_a_kubelets(entry)
    });
    sweep.phase(Phase::Prepared, |entry| {
        prepared(entry).elapsed() >= keep.prepared || is_beyond_start(entry)
    });
    if keep.mark_only {
        return;
    }
    sweep.phase(Phase::Garbage, |_| true);
    sweep.names();
    sweep.id_blocks();
    sweep.categories();
    sweep.volumes();
    sweep.networks();
    sweep.images();
    sweep.templates();
}

/// Finishes what commands were killed at: preparations and removals of pods, and the giving back of names, IDs and
/// categories. Tells of each step.
pub fn finish(engine: &Engine, observer: &dyn Observer, tell: &mut dyn FnMut(Swept)) {
    let mut sweep = Sweep {
        engine,
        observer,
        tell,
        hopeless: Vec::new(),
        mark_only: false,
    };
    sweep.aborted();
    sweep.phase(Phase::Garbage, |_| true);
    sweep.names();
    sweep.id_blocks();
    sweep.categories();
}

struct Sweep<'a> {
    engine: &'a Engine,
    observer: &'a dyn Observer,
    tell: &'a mut dyn FnMut(Swept),
    /// Pods that can't be removed.
    hopeless: Vec<PodUuid>,
    mark_only: bool,
}

impl Sweep<'_> {
    /// One broken pod must not keep the others.
    fn failed(&mut self, subject: Subject, error: impl Into<Error>) {
        (self.tell)(Swept::Failed(subject, error.into()));
    }

    fn aborted(&mut self) {
        match self.engine.pods().lock_aborted() {
            Ok(aborted) => {
                for pod in aborted {
                    let (uuid, name) = (pod.uuid(), name_in(pod.path()));
                    let removed = remove(pod, self.engine, self.observer);
                    self.removed(uuid, name, removed.map(|()| Removal::Done));
                }
            }
            Err(error) => self.failed(Subject::Aborted, error),
        }
    }

    fn phase(&mut self, phase: Phase, is_due: impl Fn(&PodEntry) -> bool) {
        let pods = self.engine.pods();
        let entries = match pods.in_phase(phase) {
            Ok(entries) => entries,
            Err(error) => return self.failed(Subject::Pods, error),
        };
        for entry in entries.into_iter().filter(is_due) {
            // It failed in the phase before.
            if self.hopeless.contains(&entry.uuid) {
                continue;
            }
            let (uuid, name) = (entry.uuid, name_in(&entry.path));
            if self.mark_only {
                self.mark(&entry, name);
                continue;
            }
            let removed = remove_seen(entry, self.engine, self.observer);
            self.removed(uuid, name, removed);
        }
    }

    /// Puts a pod out of the way. One that another command works on is left to that.
    fn mark(&mut self, entry: &PodEntry, name: Option<PodName>) {
        let marked = match self.engine.pods().lock(entry) {
            Ok(mut pod) => pod.move_to(Phase::Garbage),
            Err(PodError::Locked(_) | PodError::NoSuchPod(_)) => return,
            Err(error) => Err(error),
        };
        match marked {
            Ok(()) => (self.tell)(Swept::Marked(entry.uuid, name)),
            Err(error) => self.failed(Subject::Pod(entry.uuid), error),
        }
    }

    fn removed(&mut self, uuid: PodUuid, name: Option<PodName>, removed: Result<Removal, Error>) {
        match removed {
            Ok(Removal::Done) => (self.tell)(Swept::Pod(uuid, name)),
            Ok(Removal::GoneAlready | Removal::InUse) => {}
            Err(error) => {
                self.hopeless.push(uuid);
                self.failed(Subject::Pod(uuid), error);
            }
        }
    }

    /// What is left of pods that are gone, or are called otherwise by now.
    fn names(&mut self) {
        let pods = self.engine.pods();
        let released = pods.release_stale_names();
        if let Err(error) = released.and_then(|()| pods.release_former_names()) {
            self.failed(Subject::Pods, error);
        }
    }

    fn categories(&mut self) {
        if let Err(error) = self.engine.pods().release_stale_categories() {
            self.failed(Subject::Pods, error);
        }
    }

    fn id_blocks(&mut self) {
        if let Err(error) = self.engine.pods().release_stale_id_blocks() {
            self.failed(Subject::Pods, error);
        }
    }

    /// What no pod's virtual machine has been a copy of for long.
    fn templates(&mut self) {
        if let Err(error) = collect_templates(self.engine) {
            self.failed(Subject::Templates, error);
        }
    }

    /// What is left of the making of volumes; those that were made stay.
    fn volumes(&mut self) {
        if let Err(error) = crate::volumes::store::sweep(self.engine) {
            self.failed(Subject::Volumes, error);
        }
    }

    /// What pods hold that were killed and are kept for a while yet.
    fn networks(&mut self) {
        let (report, errors) = clear(self.engine, &self.hopeless, AfterFailure::Remember);
        for error in errors {
            self.failed(Subject::Networks, error);
        }
        (self.tell)(Swept::Networks(report));
    }

    fn images(&mut self) {
        match collect(self.engine, None, false, self.observer) {
            Ok(Some(report)) => (self.tell)(Swept::Images(report)),
            Ok(None) => {}
            Err(error) => self.failed(Subject::Images, error),
        }
    }
}

/// The name of the pod in a directory, if it has one and its record tells.
fn name_in(pod_dir: &Path) -> Option<PodName> {
    PodManifest::load(pod_dir).ok()?.name
}

/// When a pod ended: as its record says, else when its directory was last changed.
fn ended(entry: &PodEntry) -> Timestamp {
    match PodExit::load(&entry.path) {
        Ok(Some(exit)) => exit.finished,
        _ => changed(&entry.path),
    }
}

/// Whether a pod is a sandbox: its kubelet removes it, and asks for its containers until then.
fn is_a_kubelets(entry: &PodEntry) -> bool {
    PodManifest::load(&entry.path)
        .is_ok_and(|manifest| manifest.annotations.contains_key(CRI_ANNOTATION))
}

/// When a pod was prepared.
fn prepared(entry: &PodEntry) -> Timestamp {
    match PodManifest::load(&entry.path) {
        Ok(manifest) => manifest.created,
        Err(_) => changed(&entry.path),
    }
}

fn changed(path: &Path) -> Timestamp {
    match fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => time.into(),
        // It is gone; whoever comes to lock it will see.
        Err(_) => Timestamp::now(),
    }
}
