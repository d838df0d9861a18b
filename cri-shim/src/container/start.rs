//! Starting containers.

use engine::pods::apps::OpenPod;
use pod::AppName;
use pod::app_dir::{self, Mark};
use pod::exit::Outcome;

use crate::api::{StartContainerRequest, StartContainerResponse};
use crate::error::CriError;
use crate::journal::Journal;
use crate::shim::Shim;
use crate::state::{self, ContainerEnd, ContainerPhase, Sandbox};

/// Starts a container that was made and has not run yet, after its image was judged once more. It runs on return, or has
/// ended: a start that fails is its end, whatever it failed for, and kubelets make another container.
pub(crate) fn start(
    shim: &Shim,
    request: StartContainerRequest,
) -> Result<StartContainerResponse, CriError> {
    let id = request.container_id;
    let (sandbox, app) = state::container(shim, &id)?;
    is_new(&sandbox, &app, &id)?;
    let engine = shim.engine_for(sandbox.record().config.metadata.as_ref());
    let pod = OpenPod::connect(&engine, &sandbox.entry)?;
    match pod.start_first(&app, &Journal) {
        Ok(()) => Ok(StartContainerResponse {}),
        // Another request has been faster; else it has ended by that, as its monitor has written down.
        Err(error @ engine::Error::Refusing { .. }) => match is_new(&sandbox, &app, &id) {
            Err(reason) if !is_failure_to_start(&sandbox, &app) => Err(reason),
            _ => Err(error.into()),
        },
        // Whether it starts nobody knows yet: the monitor goes on with it, and it runs or has ended then.
        Err(error @ engine::Error::Monitor(_)) => Err(error.into()),
        Err(error) => {
            let error = CriError::from(error);
            // Where nothing can be written down, such as of a pod that has ended, it stays as it is.
            let _ = pod.give_up_start(&app, error.to_string());
            Err(error)
        }
    }
}

/// Whether a container has never been started, and nobody starts it.
///
/// # Errors
/// [`CriError::State`] if it has.
fn is_new(sandbox: &Sandbox, app: &AppName, id: &str) -> Result<(), CriError> {
    let phase = sandbox.container(app).and_then(|one| one.phase());
    let is_starting = || app_dir::mark(&sandbox.entry.path, app) == Some(Mark::Starting);
    let reason = match phase {
        Some(ContainerPhase::Created) if is_starting() => "is being started already",
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

/// Whether it has ended because it could not be started: what this request has been told says why.
fn is_failure_to_start(sandbox: &Sandbox, app: &AppName) -> bool {
    let phase = sandbox.container(app).and_then(|one| one.phase());
    let Some(ContainerPhase::Exited(ContainerEnd::Recorded(status))) = phase else {
        return false;
    };
    matches!(status.outcome, Outcome::NotStarted { .. })
}
