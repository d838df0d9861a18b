//! Removing pods, and what they may have left elsewhere.

use std::thread;
use std::time::{Duration, Instant};

use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::stage1::Stage1;
use pod::{LockedPod, Phase, PodEntry, PodError, PodUuid};

use super::entry_point::run_gc;
use crate::engine::Engine;
use crate::error::{Clearing, Error};
use crate::isolators::find as isolator;
use crate::observer::Observer;

/// Removes a pod that doesn't run: its isolator clears what a killed monitor may have left, then its
/// directory and its name go. Can be repeated after an interruption.
///
/// # Errors
/// If the isolator fails or something can't be removed; the pod stays in phase `garbage` then.
pub fn remove(mut pod: LockedPod, engine: &Engine, observer: &dyn Observer) -> Result<(), Error> {
    // What was never started left nothing elsewhere. In garbage, the manifest goes last: without it, all
    // else is gone.
    let was_started = match pod.phase() {
        Phase::Prepare | Phase::Prepared => false,
        Phase::Run => true,
        Phase::Garbage => pod.path().join(MANIFEST_FILE).exists(),
    };
    if was_started {
        // At once, so that others see a pod that goes and not one that runs.
        pod.discard()?;
        clear_elsewhere(&pod, Clearing::Removal, engine, observer)?;
    }
    Ok(pod.remove()?)
}

/// Has a pod's isolator clear what a killed monitor may have left outside of the pod's directory, processes too.
pub(super) fn clear_elsewhere(
    pod: &LockedPod,
    clearing: Clearing,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let stage1 = stage1_of(pod, engine)?;
    run_gc(pod, &stage1, &engine.directories, clearing, observer)
}

/// The pod's isolator; the default one where its manifest doesn't tell.
fn stage1_of(pod: &LockedPod, engine: &Engine) -> Result<Stage1, Error> {
    match PodManifest::load(pod.path()) {
        Ok(manifest) => isolator::of_pod(&manifest.stage1, &engine.directories),
        Err(_) => isolator::find(isolator::DEFAULT, &engine.directories),
    }
}

/// What became of a pod that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// This call removed it.
    Done,
    /// Another command did, or it went by itself.
    GoneAlready,
    /// It has been started, or another command works on it.
    InUse,
}

/// How long another command's removal of the same pod may take.
const OTHERS_REMOVAL: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(5);

/// Locks and removes a pod that was seen not to run. One that is being removed is waited for: by another command,
/// or by what a killed command has left, whose isolator may hold the lock for a moment longer.
///
/// # Errors
/// As [`remove`].
pub fn remove_seen(
    seen: PodEntry,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<Removal, Error> {
    let pods = engine.pods();
    let deadline = Instant::now() + OTHERS_REMOVAL;
    let mut entry = seen;
    loop {
        match pods.lock(&entry) {
            Ok(pod) => return remove(pod, engine, observer).map(|()| Removal::Done),
            Err(PodError::Locked(_) | PodError::NoSuchPod(_)) => {}
            Err(error) => return Err(error.into()),
        }
        entry = match pods.by_uuid(entry.uuid)? {
            None => return Ok(Removal::GoneAlready),
            Some(now) if now.phase == Phase::Garbage && Instant::now() < deadline => now,
            Some(_) => return Ok(Removal::InUse),
        };
        thread::sleep(INTERVAL);
    }
}

/// Removes what is left of the pod with this UUID, if anything is. One that is prepared again stays.
///
/// # Errors
/// As [`remove`].
pub fn remove_left(uuid: PodUuid, engine: &Engine, observer: &dyn Observer) -> Result<(), Error> {
    match engine.pods().by_uuid(uuid)? {
        Some(entry) if entry.phase == Phase::Prepared => Ok(()),
        Some(entry) => remove_seen(entry, engine, observer).map(|_| ()),
        None => Ok(()),
    }
}
