//! Removing pods, and what they may have left elsewhere.

use std::collections::HashSet;

use image_store::parse_digest;
use oci_spec::image::Digest;
use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::stage1::Stage1;
use pod::{LockedPod, Phase, PodError, PodsDir};

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

/// An image that a pod runs or may run.
#[derive(Debug)]
pub(crate) struct Use {
    /// Name or UUID of the pod, for messages.
    pub(crate) pod: String,
    /// Digest of the manifest.
    pub(crate) manifest: String,
}

/// The images that pods run or may run, and all digests they need: what must stay in the store.
/// To be asked for while the store is locked against use.
///
/// # Errors
/// If the record of a pod that may run can't be read: nobody knows then what it needs.
pub(crate) fn images_in_use(pods: &PodsDir) -> Result<(Vec<Use>, HashSet<Digest>), Failure> {
    let mut uses = Vec::new();
    let mut digests = HashSet::new();
    for entry in pods.list()? {
        match entry.phase {
            Phase::Prepared => {}
            Phase::Run if entry.state()? == pod::State::Running => {}
            // Who prepares holds a pin, so that these were given up.
            Phase::Prepare | Phase::Run | Phase::Garbage => continue,
        }
        let manifest = match PodManifest::load(&entry.path) {
            Ok(manifest) => manifest,
            // It has moved on: started, or ended. Look where it is now.
            Err(PodError::Io { .. }) => match pods.by_uuid(entry.uuid)? {
                Some(now) if now.phase == Phase::Run => PodManifest::load(&now.path)?,
                _ => continue,
            },
            Err(error) => return Err(error.into()),
        };
        for app in &manifest.apps {
            let image = &app.image;
            let signed = image.verification.signed_digest.iter();
            for text in image.layers.iter().chain([&image.manifest]).chain(signed) {
                digests.insert(parse_digest(text)?);
            }
            uses.push(Use {
                pod: match &manifest.name {
                    Some(name) => name.to_string(),
                    None => manifest.uuid.to_string(),
                },
                manifest: image.manifest.clone(),
            });
        }
    }
    Ok((uses, digests))
}
