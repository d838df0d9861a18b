//! Starting containers.

use engine::pods::apps::OpenPod;
use pod::AppName;
use pod::exit::Outcome;

use crate::api::{StartContainerRequest, StartContainerResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state::{self, ContainerEnd, ContainerPhase, Sandbox};

/// Starts a container that was made and has not run yet, after its image was judged once more. It runs on return.
pub(crate) fn start(
    shim: &Shim,
    request: StartContainerRequest,
) -> Result<StartContainerResponse, CriError> {
    let id = request.container_id;
    let (sandbox, app) = state::container(shim, &id)?;
    is_new(&sandbox, &app, &id)?;
    let engine = shim.engine_for(sandbox.record().config.metadata.as_ref());
    let started = OpenPod::connect(&engine, &sandbox.entry)?.start_first(&app, &Journal);
    match started {
        Ok(()) => Ok(StartContainerResponse {}),
        // Another request has been faster.
        Err(error @ engine::Error::Refusing { .. }) => match is_new(&sandbox, &app, &id) {
            Err(reason) if !is_failure_to_execute(&sandbox, &app) => Err(reason),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Whether a container has never been started.
///
/// # Errors
/// [`CriError::State`] if it has.
fn is_new(sandbox: &Sandbox, app: &AppName, id: &str) -> Result<(), CriError> {
    let phase = sandbox.container(app).and_then(|one| one.phase());
    let reason = match phase {
        Some(ContainerPhase::Created) => return Ok(()),
        Some(ContainerPhase::Running) => "runs already",
        Some(ContainerPhase::Exited(_)) => "has ended: no container starts twice",
        None => "is gone",
    };
    Err(CriError::State {
        what: "container",
        id: id.to_owned(),
        reason: reason.to_owned(),
    })
}

/// Whether it has ended because its program could not be executed: what this request has been told says why.
fn is_failure_to_execute(sandbox: &Sandbox, app: &AppName) -> bool {
    let phase = sandbox.container(app).and_then(|one| one.phase());
    let Some(ContainerPhase::Exited(ContainerEnd::Recorded(status))) = phase else {
        return false;
    };
    matches!(status.outcome, Outcome::NotStarted { .. })
}
