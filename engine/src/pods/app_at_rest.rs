//! Apps of pods that don't run.

use std::thread;
use std::time::{Duration, Instant};

use pod::manifest::{MANIFEST_FILE, PodManifest, app_dir};
use pod::{AppName, LockedPod, PodEntry, PodError, State, record};

use super::connection::connect;
use crate::engine::Engine;
use crate::error::Error;

/// How long who else works on the pod may take.
const OTHERS: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_millis(5);

/// Takes an app out of a pod that doesn't run, with its files and the log that it has there; a log at a path of its own
/// stays. Whether it was there: one that isn't, and one of a pod that is gone, is out of it already.
///
/// # Errors
/// If the pod runs, or something can't be removed.
pub fn remove_app_at_rest(entry: &PodEntry, app: &AppName, engine: &Engine) -> Result<bool, Error> {
    let Some(pod) = lock(entry, engine)? else {
        return Ok(false);
    };
    let removed = remove_from(&pod, app);
    pod.release();
    removed
}

fn remove_from(pod: &LockedPod, app: &AppName) -> Result<bool, Error> {
    let mut manifest = PodManifest::load(pod.path())?;
    let was_there = manifest.apps.remove(app).is_some();
    if was_there {
        // First its entry, so that nobody finds an entry without files.
        record::replace(&pod.path().join(MANIFEST_FILE), &manifest)?;
    }
    if app_dir(pod.path(), app).exists() {
        pod::app_dir::remove(pod.path(), app)?;
    }
    pod::app_dir::empty_removed(pod.path())?;
    Ok(was_there)
}

/// The pod, which nobody can start meanwhile. `None` if it is gone, or goes.
fn lock(entry: &PodEntry, engine: &Engine) -> Result<Option<LockedPod>, Error> {
    let deadline = Instant::now() + OTHERS;
    loop {
        let Some(entry) = engine.pods().by_uuid(entry.uuid)? else {
            return Ok(None);
        };
        match entry.state()? {
            State::Exited | State::Prepared => {}
            State::Deleting | State::Garbage => return Ok(None),
            // Another call may have it, and not its monitor.
            State::Running
                if Instant::now() < deadline && connect(&entry, &engine.directories)?.is_none() =>
            {
                thread::sleep(INTERVAL);
                continue;
            }
            state => {
                return Err(Error::State {
                    uuid: entry.uuid,
                    operation: "relieved of an app",
                    state,
                });
            }
        }
        match engine.pods().lock(&entry) {
            Ok(pod) => return Ok(Some(pod)),
            Err(PodError::Locked(_) | PodError::NoSuchPod(_)) if Instant::now() < deadline => {
                thread::sleep(INTERVAL);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
