//! Other limits of a container.

use engine::pods::limits;

use super::spec;
use crate::api::{UpdateContainerResourcesRequest, UpdateContainerResourcesResponse};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, SandboxPhase};

/// Changes limits: all that are given, or none. What is not given stays as it is; so does the score by which the kernel
/// chooses whom to kill, which is of processes and not of their cgroup.
pub(crate) fn update(
    shim: &Shim,
    request: UpdateContainerResourcesRequest,
) -> Result<UpdateContainerResourcesResponse, CriError> {
    let asked = request.linux.ok_or_else(|| CriError::missing("linux"))?;
    let mut wanted = spec::limits("linux", &asked)?;
    let (sandbox, app) = state::container(shim, &request.container_id)?;
    if sandbox.phase != SandboxPhase::Ready {
        return Err(CriError::State {
            what: "container",
            id: request.container_id,
            reason: "is in a sandbox that is not ready".to_owned(),
        });
    }
    match sandbox.manifest().virtual_machine.is_some() {
        true => wanted = spec::in_machine(wanted),
        false => spec::of_node("linux", &asked)?,
    }
    limits::update(
        &sandbox.entry,
        &shim.engine.directories,
        Some(&app),
        &wanted,
    )?;
    Ok(UpdateContainerResourcesResponse {})
}
