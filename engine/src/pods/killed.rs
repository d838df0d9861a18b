//! The name of a pod that was killed, by SIGKILL or with the machine: it stands in nobody's way.

use pod::exit::PodExit;
use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::{LockedPod, PodEntry, PodError, PodName, PodUuid, State, record};

use super::folder::Plan;
use super::removal::{Removal, clear_elsewhere, remove_seen};
use crate::engine::Engine;
use crate::error::{Clearing, Error};
use crate::observer::{Observer, Warning};

/// Makes the pod that is planned. Where a pod has its name that was killed, that one loses it: what it has left elsewhere goes,
/// so that its ports and addresses are free; its files stay for who wants to look at them, unless it was to be removed at its
/// end.
///
/// # Errors
/// What keeps the new one from being made: [`PodError::NameInUse`] if a pod has the name that lives, or has ended by itself.
pub(super) fn make_after(
    plan: &mut Plan,
    engine: &Engine,
    observer: &dyn Observer,
    mut make: impl FnMut(&mut Plan) -> Result<LockedPod, Error>,
) -> Result<LockedPod, Error> {
    match make(plan) {
        Err(Error::Pod(PodError::NameInUse { name, holder })) => {
            match free(&name, holder, engine, observer)? {
                true => make(plan),
                false => Err(PodError::NameInUse { name, holder }.into()),
            }
        }
        made => made,
    }
}

/// Frees the name of a pod that was killed. Whether it was.
fn free(
    name: &PodName,
    holder: PodUuid,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<bool, Error> {
    let pods = engine.pods();
    let entry = match pods.by_uuid(holder)? {
        // It has gone by itself meanwhile.
        None => return Ok(true),
        Some(entry) if was_killed(&entry)? => entry,
        Some(_) => return Ok(false),
    };
    if PodManifest::load(&entry.path).is_ok_and(|manifest| manifest.remove_on_exit) {
        return Ok(remove_seen(entry, engine, observer)? != Removal::InUse);
    }
    let pod = match pods.lock(&entry) {
        Ok(pod) => pod,
        // Another command works on it.
        Err(PodError::Locked(_) | PodError::NoSuchPod(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    clear_elsewhere(&pod, Clearing::End, engine, observer)?;
    // One that a loss of power has left damaged bears no name any more.
    if let Ok(mut manifest) = PodManifest::load(pod.path())
        && manifest.name.as_ref() == Some(name)
    {
        manifest.name = None;
        record::replace(&pod.path().join(MANIFEST_FILE), &manifest)?;
    }
    pods.release_name(name, holder)?;
    observer.warning(Warning::NameOfKilled {
        name: name.clone(),
        holder,
    });
    Ok(true)
}

/// Whether a pod has run, and nobody has written down how it ended, or what was written was lost with power.
fn was_killed(entry: &PodEntry) -> Result<bool, Error> {
    Ok(entry.state()? == State::Exited && PodExit::load_if_whole(&entry.path)?.is_none())
}
