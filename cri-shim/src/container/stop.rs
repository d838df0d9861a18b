//! Ending containers.

use std::time::Duration;

use engine::error::AppError;
use engine::pods::apps::OpenPod;

use crate::api::{StopContainerRequest, StopContainerResponse};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase};

/// The longest time that a container gets to end, whatever is asked for: a year.
const GRACE_MAX: Duration = Duration::from_secs(31_536_000);

/// Ends a container: its stop signal, and SIGKILL when the time is up; at once if there is none. One that doesn't run, or is
/// gone, is as wanted.
pub(crate) fn stop(
    shim: &Shim,
    request: StopContainerRequest,
) -> Result<StopContainerResponse, CriError> {
    let grace = u64::try_from(request.timeout)
        .map_err(|_| CriError::invalid("timeout", format!("{} is negative", request.timeout)))?;
    let Some((sandbox, app)) = state::container_if_any(shim, &request.container_id)? else {
        return Ok(StopContainerResponse {});
    };
    let runs = sandbox
        .container(&app)
        .is_some_and(|one| one.phase() == Some(ContainerPhase::Running));
    if runs {
        let stopped = OpenPod::connect(&shim.engine, &sandbox.entry)
            .and_then(|pod| pod.stop(&app, Some(Duration::from_secs(grace).min(GRACE_MAX))));
        match stopped {
            Ok(()) => {}
            // It has gone, or its sandbox has ended, meanwhile.
            Err(engine::Error::App(AppError::NotRunning(..) | AppError::Unknown { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(StopContainerResponse {})
}
