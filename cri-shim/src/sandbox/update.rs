//! Other limits of a sandbox.

use crate::api::{UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse};
use crate::container::limits;
use crate::error::CriError;
use crate::shim::Shim;
use crate::state;

/// A kubelet has changed the limits of the cgroup that the sandbox's lies in, and says so. The sandbox's own has none, so
/// that nothing is left to do.
pub(crate) fn update(
    shim: &Shim,
    request: UpdatePodSandboxResourcesRequest,
) -> Result<UpdatePodSandboxResourcesResponse, CriError> {
    state::sandbox(shim, &request.pod_sandbox_id)?;
    for (field, asked) in [
        ("overhead", &request.overhead),
        ("resources", &request.resources),
    ] {
        if let Some(asked) = asked {
            limits(field, asked)?;
        }
    }
    Ok(UpdatePodSandboxResourcesResponse {})
}
