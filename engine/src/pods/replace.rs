//! A pod that goes for another one of its name.

use cni_glue::id::ContainerId;
use pod::network::{container, is_live};
use pod::{PodError, PodName, State};

use super::folder::Plan;
use super::foreseen;
use super::removal::{Removal, remove_seen};
use super::stop::{Stop, stop};
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Observer;
use crate::policy::verifier::RunnableImage;

/// Stops and removes the pod that has this name, if there is one, for the one that is planned, with an image for each of
/// its apps. What can't start takes nobody's place.
///
/// # Errors
/// What would keep the new one from starting; if the old one does not end, or another command works on it.
pub(super) fn make_way(
    name: &PodName,
    plan: &Plan,
    images: &[RunnableImage],
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let pods = engine.pods();
    let mut entry = match pods.find(name.as_str()) {
        Ok(entry) => entry,
        Err(PodError::NoSuchPod(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let uuid = entry.uuid;
    for (app, image) in plan.manifest().apps.iter().zip(images) {
        foreseen::check(app, image)?;
    }
    let is_live = |container: &ContainerId| is_live(&pods, container);
    let attacher = engine.attacher();
    attacher.look_for_ports(&plan.manifest().ports, &container(uuid)?, &is_live)?;
    if entry.state()? == State::Running {
        stop(&entry, &engine.directories, Stop::Gracefully(None))?;
        entry = match pods.by_uuid(uuid)? {
            Some(entry) => entry,
            // It went by itself: --rm.
            None => return Ok(()),
        };
    }
    match remove_seen(entry, engine, observer)? {
        Removal::Done | Removal::GoneAlready => Ok(()),
        Removal::InUse => Err(PodError::Locked(uuid).into()),
    }
}
