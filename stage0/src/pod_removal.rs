//! Removing pods, and what they may have left elsewhere.

use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::stage1::Stage1;
use pod::{LockedPod, Phase, PodError};

use crate::context::Context;
use crate::failure::Failure;
use crate::{handover, isolator};

/// Removes a pod that doesn't run: its isolator clears what a killed monitor may have left, then its
/// folder and its name go. Can be repeated after an interruption.
///
/// # Errors
/// If the isolator fails or something can't be removed; the pod stays in phase `garbage` then.
pub(crate) fn remove(mut pod: LockedPod, context: &Context) -> Result<(), Failure> {
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
        let stage1 = stage1_of(&pod, context)?;
        handover::run_gc(&pod, &stage1, &context.directories)?;
    }
    Ok(pod.remove()?)
}

/// The pod's isolator; the default one where its manifest doesn't tell.
fn stage1_of(pod: &LockedPod, context: &Context) -> Result<Stage1, Failure> {
    match PodManifest::load(pod.path()) {
        Ok(manifest) => isolator::of_pod(&manifest.stage1, &context.directories),
        Err(_) => isolator::find(isolator::DEFAULT, &context.directories),
    }
}

/// Whether an error says no more than that another command was faster.
pub(crate) fn lost_race(error: &PodError) -> bool {
    matches!(error, PodError::Locked(_) | PodError::NoSuchPod(_))
}
