//! A pod that goes for another one of its name.

use pod::{PodError, PodName, State};

use super::removal::{Removal, remove_seen};
use super::stop::{Stop, stop};
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Observer;

/// Stops and removes the pod that has this name, if there is one.
///
/// # Errors
/// If it does not end, or another command works on it.
pub(super) fn make_way(
    name: &PodName,
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
