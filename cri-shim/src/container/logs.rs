//! Logs of containers.

use engine::pods::reopen_log::reopen_log;

use crate::api::{ReopenContainerLogRequest, ReopenContainerLogResponse};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase};

/// Has the log of a container that runs opened anew: a kubelet has renamed it.
pub(crate) fn reopen(
    shim: &Shim,
    request: ReopenContainerLogRequest,
) -> Result<ReopenContainerLogResponse, CriError> {
    let (sandbox, app) = state::container(shim, &request.container_id)?;
    let phase = sandbox.container(&app).and_then(|one| one.phase());
    if phase != Some(ContainerPhase::Running) {
        return Err(CriError::State {
            what: "container",
            id: request.container_id,
            reason: "doesn't run: nothing writes into its log".to_owned(),
        });
    }
    reopen_log(&sandbox.entry, &shim.engine.directories, &app)?;
    Ok(ReopenContainerLogResponse {})
}
