//! Removing sandboxes.

use std::thread;
use std::time::Instant;

use engine::pods::removal::{Removal, remove_seen};
use pod::PodEntry;

use super::stop::{OTHERS, OTHERS_PATIENCE, end};
use crate::api::{RemovePodSandboxRequest, RemovePodSandboxResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state;

/// Removes a sandbox with its containers. One that is gone is as wanted; another request that works on it is waited for.
pub(crate) fn remove(
    shim: &Shim,
    request: RemovePodSandboxRequest,
) -> Result<RemovePodSandboxResponse, CriError> {
    let deadline = Instant::now() + OTHERS_PATIENCE;
    let id = &request.pod_sandbox_id;
    while let Some(entry) = ended(shim, id)? {
        match remove_seen(entry, &shim.engine, &Journal)? {
            Removal::Done | Removal::GoneAlready => break,
            Removal::InUse if Instant::now() < deadline => thread::sleep(OTHERS),
            Removal::InUse => {
                return Err(CriError::State {
                    what: "sandbox",
                    id: id.clone(),
                    reason: "is in use by another command: ask again".to_owned(),
                });
            }
        }
    }
    Ok(RemovePodSandboxResponse {})
}

/// The pod of a sandbox, which has been ended; `None` if it is gone.
fn ended(shim: &Shim, id: &str) -> Result<Option<PodEntry>, CriError> {
    if let Some(wreck) = state::wreck(shim, id)? {
        return Ok(Some(wreck));
    }
    let Some(sandbox) = state::sandbox_if_any(shim, id)? else {
        return Ok(None);
    };
    end(shim, &sandbox)?;
    Ok(Some(sandbox.entry))
}
