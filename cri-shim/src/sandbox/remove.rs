//! Removing sandboxes.

use engine::pods::removal::{Removal, remove_seen};

use super::stop::end;
use crate::api::{RemovePodSandboxRequest, RemovePodSandboxResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state;

/// Removes a sandbox with its containers. One that is gone is as wanted.
pub(crate) fn remove(
    shim: &Shim,
    request: RemovePodSandboxRequest,
) -> Result<RemovePodSandboxResponse, CriError> {
    if let Some(sandbox) = state::sandbox_if_any(shim, &request.pod_sandbox_id)? {
        end(shim, &sandbox)?;
        let id = sandbox.id().to_string();
        match remove_seen(sandbox.entry, &shim.engine, &Journal)? {
            Removal::Done | Removal::GoneAlready => {}
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
