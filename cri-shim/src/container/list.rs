//! All containers.

use super::status::{told_image, told_state};
use crate::api::{
    Container as Told, ContainerFilter, ContainerState, ListContainersRequest,
    ListContainersResponse, StreamContainersRequest,
};
use crate::error::CriError;
use crate::sandbox::labels_fit;
use crate::shim::Shim;
use crate::state::{self, Container};

/// The containers that fit a filter.
pub(crate) fn list(
    shim: &Shim,
    request: ListContainersRequest,
) -> Result<ListContainersResponse, CriError> {
    Ok(ListContainersResponse {
        containers: fitting(shim, request.filter.unwrap_or_default())?,
    })
}

/// The same, to be streamed.
pub(crate) fn listed(shim: &Shim, request: StreamContainersRequest) -> Result<Vec<Told>, CriError> {
    fitting(shim, request.filter.unwrap_or_default())
}

fn fitting(shim: &Shim, filter: ContainerFilter) -> Result<Vec<Told>, CriError> {
    let mut containers = Vec::new();
    for sandbox in state::all(shim)? {
        if !sandbox.id().to_string().starts_with(&filter.pod_sandbox_id) {
            continue;
        }
        for container in sandbox.containers() {
            let id = container.id().to_string();
            let labels = &container.record.config.labels;
            if id.starts_with(&filter.id) && labels_fit(labels, &filter.label_selector) {
                let Some(phase) = container.phase() else {
                    continue;
                };
                let state = told_state(&phase);
                let wanted = filter.state.as_ref();
                if wanted.is_none_or(|wanted| wanted.state == state as i32) {
                    containers.push(told(&container, id, state));
                }
            }
        }
    }
    Ok(containers)
}

fn told(container: &Container<'_>, id: String, state: ContainerState) -> Told {
    let record = container.record;
    Told {
        id,
        pod_sandbox_id: container.sandbox.id().to_string(),
        metadata: record.config.metadata.clone(),
        image: told_image(record),
        image_ref: record.image_ref.clone(),
        state: state as i32,
        created_at: record.created_at,
        labels: record.config.labels.clone(),
        annotations: record.config.annotations.clone(),
        image_id: record.image_id.clone(),
    }
}
