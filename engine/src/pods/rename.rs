//! Giving a pod another name.

use pod::control::{Request, Response};
use pod::manifest::{MANIFEST_FILE, PodManifest};
use pod::network;
use pod::{Phase, PodEntry, PodError, PodName, State, record};

use super::connection::{ask, connect_when_up, unexpected};
use crate::engine::Engine;
use crate::error::Error;

/// Gives a pod another name, which was found by `asked`: a name that it has lost meanwhile is not its own any more. The pods that share a network with it find it by that from now on; its own host name stays. At
/// every moment it has one of the two, or both.
///
/// # Errors
/// [`PodError::NameInUse`] if another pod has it; or if the pod begins or ends just now, or somebody else was faster.
pub fn rename(engine: &Engine, entry: &PodEntry, asked: &str, name: &PodName) -> Result<(), Error> {
    let pods = engine.pods();
    let _turn = pods.take_name_turn(entry)?;
    let before = PodManifest::load(&entry.path)?.name;
    let is_asked = |before: &PodName| before.as_str() == asked;
    if asked.parse::<PodName>().is_ok()
        && !before.as_ref().is_some_and(is_asked)
        && !entry.uuid.to_string().starts_with(asked)
    {
        return Err(PodError::NoSuchPod(asked.to_owned()).into());
    }
    if before.as_ref() == Some(name) {
        return Ok(());
    }
    pods.claim_name(name, entry.uuid)?;
    let renamed = match entry.state()? {
        State::Running => of_running(engine, entry, name),
        _ => of_other(engine, entry, name),
    };
    if let Err(error) = renamed {
        // What failed first is told.
        let _ = pods.release_name(name, entry.uuid);
        return Err(error);
    }
    if let Some(before) = before {
        pods.release_name(&before, entry.uuid)?;
    }
    Ok(())
}

/// The monitor alone writes the manifest of a pod that runs.
fn of_running(engine: &Engine, entry: &PodEntry, name: &PodName) -> Result<(), Error> {
    let gone = || Error::from(PodError::NoSuchPod(entry.uuid.to_string()));
    let connection = connect_when_up(entry, &engine.directories)?.ok_or_else(gone)?;
    let request = Request::Rename { name: name.clone() };
    match ask(&connection, &request)?.ok_or_else(gone)? {
        Response::Done => {}
        other => return Err(unexpected(&other)),
    }
    if let Some(status) = network::load(&entry.path)? {
        let container = network::container(entry.uuid)?;
        engine
            .attacher()
            .rename(&status, &container, name.as_str())?;
    }
    Ok(())
}

fn of_other(engine: &Engine, entry: &PodEntry, name: &PodName) -> Result<(), Error> {
    let pod = engine.pods().lock(entry)?;
    if !matches!(pod.phase(), Phase::Prepared | Phase::Run) {
        return Err(PodError::NoSuchPod(entry.uuid.to_string()).into());
    }
    let mut manifest = PodManifest::load(pod.path())?;
    manifest.name = Some(name.clone());
    Ok(record::replace(&pod.path().join(MANIFEST_FILE), &manifest)?)
}
