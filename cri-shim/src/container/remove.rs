//! Removing containers.

use engine::error::AppError;
use engine::pods::app_at_rest::remove_app_at_rest;
use engine::pods::apps::OpenPod;

use crate::api::{RemoveContainerRequest, RemoveContainerResponse};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state;

/// Removes a container, which is killed if it runs. One that is gone is as wanted. Its log stays.
pub(crate) fn remove(
    shim: &Shim,
    request: RemoveContainerRequest,
) -> Result<RemoveContainerResponse, CriError> {
    let Some((sandbox, app)) = state::container_if_any(shim, &request.container_id)? else {
        return Ok(RemoveContainerResponse {});
    };
    let removed =
        OpenPod::connect(&shim.engine, &sandbox.entry).and_then(|pod| pod.remove(&app, true));
    match removed {
        Ok(()) | Err(engine::Error::App(AppError::Unknown { .. })) => {}
        // Its sandbox has ended.
        Err(engine::Error::App(AppError::NotRunning(..))) => {
            remove_app_at_rest(&sandbox.entry, &app, &shim.engine)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(RemoveContainerResponse {})
}
