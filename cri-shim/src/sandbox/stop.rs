//! Ending sandboxes.

use std::thread;
use std::time::{Duration, Instant};

use engine::pods::stop::{Stop, end_remains, refuse_hung, stop as end_pod};
use pod::lock::PodLock;
use pod::{PodEntry, PodError};

use crate::api::{StopPodSandboxRequest, StopPodSandboxResponse};
use crate::error::CriError;
use crate::journal::{self, Journal, Priority};
use crate::shim::Shim;
use crate::state::{self, Sandbox};

/// How long others that end or remove the same sandbox are waited for.
pub(super) const OTHERS_PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks at what they do: the kernel tells nobody.
pub(super) const OTHERS: Duration = Duration::from_millis(10);

/// Ends a sandbox with all of its containers, and takes it out of its network. One that has ended, or is gone, is as wanted.
pub(crate) fn stop(
    shim: &Shim,
    request: StopPodSandboxRequest,
) -> Result<StopPodSandboxResponse, CriError> {
    let id = &request.pod_sandbox_id;
    if let Some(wreck) = state::wreck(shim, id)? {
        end_entry(shim, &wreck)?;
    } else if let Some(sandbox) = state::sandbox_if_any(shim, id)? {
        end(shim, &sandbox)?;
    }
    Ok(StopPodSandboxResponse {})
}

/// Ends a sandbox; returns when nothing of it runs any more, and its network is given back, whoever does that.
pub(crate) fn end(shim: &Shim, sandbox: &Sandbox) -> Result<(), CriError> {
    end_entry(shim, &sandbox.entry)
}

fn end_entry(shim: &Shim, entry: &PodEntry) -> Result<(), CriError> {
    // While its lock is held by who clears up after it, it is no sandbox that begins. A disk without room keeps no pod running.
    if let Err(error) = state::mark_stopping(&entry.path) {
        journal::line(Priority::Warning, &error.to_string());
    }
    let deadline = Instant::now() + OTHERS_PATIENCE;
    loop {
        let directories = &shim.engine.directories;
        let ended = match PodLock::is_held(&entry.path)? {
            true => end_pod(entry, directories, Stop::AtOnce)
                .and_then(|()| refuse_hung(entry, directories)),
            false => Ok(()),
        };
        // What a monitor has left that was killed: places in networks, cgroups, mounts.
        let ended = ended.and_then(|()| end_remains(entry, &shim.engine, &Journal));
        match ended {
            Ok(_) | Err(engine::Error::Pod(PodError::NoSuchPod(_))) => return Ok(()),
            Err(engine::Error::Pod(PodError::Locked(_))) if Instant::now() < deadline => {
                thread::sleep(OTHERS);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
