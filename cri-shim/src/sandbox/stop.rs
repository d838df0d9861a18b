//! Ending sandboxes.

use engine::pods::stop::{Stop, end_remains};
use pod::lock::PodLock;

use crate::api::{StopPodSandboxRequest, StopPodSandboxResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state::{self, Sandbox};

/// Ends a sandbox with all of its containers, and takes it out of its network. One that has ended, or is gone, is as wanted.
pub(crate) fn stop(
    shim: &Shim,
    request: StopPodSandboxRequest,
) -> Result<StopPodSandboxResponse, CriError> {
    if let Some(sandbox) = state::sandbox_if_any(shim, &request.pod_sandbox_id)? {
        end(shim, &sandbox)?;
    }
    Ok(StopPodSandboxResponse {})
}

/// Ends a sandbox; returns when nothing of it runs any more, and its network is given back.
pub(crate) fn end(shim: &Shim, sandbox: &Sandbox) -> Result<(), CriError> {
    let entry = &sandbox.entry;
    if PodLock::is_held(&entry.path)? {
        state::mark_stopping(&entry.path)?;
        engine::pods::stop::stop(entry, &shim.engine.directories, Stop::AtOnce)?;
    }
    // What a monitor has left that was killed: places in networks, cgroups, mounts.
    match end_remains(entry, &shim.engine, &Journal) {
        Ok(_) => Ok(()),
        // It is gone, or somebody else does the same.
        Err(engine::Error::Pod(pod::PodError::NoSuchPod(_) | pod::PodError::Locked(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
