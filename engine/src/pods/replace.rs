//! A pod that goes for another one of its name.

use std::thread;
use std::time::{Duration, Instant};

use cni_glue::id::ContainerId;
use pod::network::{container, is_live};
use pod::{LockedPod, PodEntry, PodError, PodName, PodUuid, State};

use super::connection::live_status;
use super::folder::Plan;
use super::foreseen;
use super::removal::{Removal, remove_seen};
use super::stop::{Stop, stop};
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Observer;
use crate::policy::verifier::RunnableImage;

/// How long one pod of the name may be worked on by others, who prepare, start or remove it.
const OTHERS: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(5);

/// Makes the pod that is planned, with an image for each of its apps, in the place of the one that has this name, which is
/// stopped and removed. What can't start takes nobody's place. Of several who do this at once, each gets its turn.
///
/// # Errors
/// What keeps the new one from starting; if the old one does not end, or another command works on it for long.
pub(super) fn make_in_place(
    name: &PodName,
    plan: &mut Plan,
    images: &[RunnableImage],
    engine: &Engine,
    observer: &dyn Observer,
    mut make: impl FnMut(&mut Plan) -> Result<LockedPod, Error>,
) -> Result<LockedPod, Error> {
    for (app, image) in plan.manifest().apps.iter().zip(images) {
        foreseen::check(app, image)?;
    }
    let mut seen: Option<PodUuid> = None;
    let mut deadline = Instant::now() + OTHERS;
    loop {
        let entry = holder(name, engine)?;
        let uuid = entry.as_ref().map(|entry| entry.uuid);
        if uuid != seen {
            (seen, deadline) = (uuid, Instant::now() + OTHERS);
        }
        let way = entry.map_or(Ok(()), |entry| make_way(entry, plan, engine, observer));
        match way.and_then(|()| make(plan)) {
            Err(Error::Pod(PodError::NameInUse { .. } | PodError::Locked(_)))
                if Instant::now() < deadline => {}
            // It was about one that isn't there any more.
            Err(_) if holder(name, engine)?.map(|entry| entry.uuid) != uuid => {}
            made => return made,
        }
        // Who works on it tells nobody; a removal and a start take milliseconds.
        thread::sleep(INTERVAL);
    }
}

fn holder(name: &PodName, engine: &Engine) -> Result<Option<PodEntry>, Error> {
    match engine.pods().find(name.as_str()) {
        Ok(entry) => Ok(Some(entry)),
        Err(PodError::NoSuchPod(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits until a pod has started, or has ended: who started it is to hear of that, and not of its end.
fn wait_started(entry: &PodEntry, engine: &Engine) -> Result<(), Error> {
    let deadline = Instant::now() + OTHERS;
    while Instant::now() < deadline && entry.state()? == State::Running {
        let live = live_status(entry, &engine.directories)?;
        if live.is_some_and(|live| live.started.is_some()) {
            break;
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

/// Stops and removes a pod.
fn make_way(
    mut entry: PodEntry,
    plan: &Plan,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let pods = engine.pods();
    let uuid = entry.uuid;
    let is_live = |container: &ContainerId| is_live(&pods, container);
    let attacher = engine.attacher();
    attacher.look_for_ports(&plan.manifest().ports, &container(uuid)?, &is_live)?;
    if entry.state()? == State::Running {
        wait_started(&entry, engine)?;
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
