//! Removing pods, and what they may have left elsewhere.

use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::stage1::Stage1;
use pod::{LockedPod, Phase, PodError, PodUuid};

use super::entry_point::run_gc;
use crate::engine::Engine;
use crate::error::Error;
use crate::isolators::find as isolator;
use crate::observer::Observer;

/// Removes a pod that doesn't run: its isolator clears what a killed monitor may have left, then its
/// folder and its name go. Can be repeated after an interruption.
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
        if pod.phase() != Phase::Garbage {
            pod.move_to(Phase::Garbage)?;
        }
        let stage1 = stage1_of(&pod, engine)?;
        run_gc(&pod, &stage1, &engine.directories, observer)?;
    }
    Ok(pod.remove()?)
}

/// The pod's isolator; the default one where its manifest doesn't tell.
fn stage1_of(pod: &LockedPod, engine: &Engine) -> Result<Stage1, Error> {
    match PodManifest::load(pod.path()) {
        Ok(manifest) => isolator::of_pod(&manifest.stage1, &engine.directories),
        Err(_) => isolator::find(isolator::DEFAULT, &engine.directories),
    }
}

/// Whether an error says no more than that another command was faster.
pub fn lost_race(error: &PodError) -> bool {
    matches!(error, PodError::Locked(_) | PodError::NoSuchPod(_))
}

/// Removes what is left of the pod with this UUID, if anything is.
///
/// # Errors
/// As [`remove`].
pub fn remove_left(uuid: PodUuid, engine: &Engine, observer: &dyn Observer) -> Result<(), Error> {
    let pods = engine.pods();
    let Some(entry) = pods.by_uuid(uuid)? else {
        return Ok(());
    };
    match pods.lock(&entry) {
        Ok(pod) => remove(pod, engine, observer),
        // Another command removes it.
        Err(error) if lost_race(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
