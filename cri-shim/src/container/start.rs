//! Starting containers.

use engine::pods::apps::OpenPod;

use crate::api::{StartContainerRequest, StartContainerResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase};

/// Starts a container that was made and has not run yet, after its image was judged once more. It runs on return.
pub(crate) fn start(
    shim: &Shim,
    request: StartContainerRequest,
) -> Result<StartContainerResponse, CriError> {
    let (sandbox, app) = state::container(shim, &request.container_id)?;
    let phase = sandbox.container(&app).map(|one| one.phase());
    let reason = match phase {
        Some(ContainerPhase::Created) => None,
        Some(ContainerPhase::Running) => Some("runs already"),
        Some(ContainerPhase::Exited(_)) => Some("has ended: no container starts twice"),
        None => Some("is gone"),
    };
    if let Some(reason) = reason {
        return Err(CriError::State {
            what: "container",
            id: request.container_id,
            reason: reason.to_owned(),
        });
    }
    let engine = shim.engine_for(sandbox.record().config.metadata.as_ref());
    OpenPod::connect(&engine, &sandbox.entry)?.start(&app, &Journal)?;
    Ok(StartContainerResponse {})
}
