//! Removing sandboxes.

use std::thread;
use std::time::Instant;

use engine::pods::removal::{Removal, remove_seen};

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
    while let Some(sandbox) = state::sandbox_if_any(shim, &request.pod_sandbox_id)? {
        end(shim, &sandbox)?;
        let id = sandbox.id().to_string();
        match remove_seen(sandbox.entry, &shim.engine, &Journal)? {
            Removal::Done | Removal::GoneAlready => break,
            Removal::InUse if Instant::now() < deadline => thread::sleep(OTHERS),
            Removal::InUse => {
                return Err(CriError::State {
                    what: "sandbox",
                    id,
                    reason: "is in use by another command: ask again".to_owned(),
                });
            }
        }
    }
    Ok(RemovePodSandboxResponse {})
}
