//! All sandboxes.

use std::collections::BTreeMap;

use super::status::told_state;
use crate::api::{
    ListPodSandboxRequest, ListPodSandboxResponse, PodSandbox, PodSandboxFilter,
    StreamPodSandboxesRequest,
};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, Sandbox};

/// The sandboxes that fit a filter.
pub(crate) fn list(
    shim: &Shim,
    request: ListPodSandboxRequest,
) -> Result<ListPodSandboxResponse, CriError> {
    Ok(ListPodSandboxResponse {
        items: fitting(shim, &request.filter.unwrap_or_default())?,
    })
}

/// The same, to be streamed.
pub(crate) fn listed(
    shim: &Shim,
    request: StreamPodSandboxesRequest,
) -> Result<Vec<PodSandbox>, CriError> {
    fitting(shim, &request.filter.unwrap_or_default())
}

fn fitting(shim: &Shim, filter: &PodSandboxFilter) -> Result<Vec<PodSandbox>, CriError> {
    let sandboxes = state::all(shim)?;
    let fitting = sandboxes.iter().filter(|sandbox| fits(sandbox, filter));
    Ok(fitting.map(told).collect())
}

fn fits(sandbox: &Sandbox, filter: &PodSandboxFilter) -> bool {
    let state = filter.state.as_ref();
    sandbox.id().to_string().starts_with(&filter.id)
        && state.is_none_or(|state| state.state == told_state(sandbox) as i32)
        && labels_fit(&sandbox.record().config.labels, &filter.label_selector)
}

/// Whether labels have all that a selector names.
pub(crate) fn labels_fit(
    labels: &BTreeMap<String, String>,
    selector: &BTreeMap<String, String>,
) -> bool {
    let mut selector = selector.iter();
    selector.all(|(key, value)| labels.get(key) == Some(value))
}

fn told(sandbox: &Sandbox) -> PodSandbox {
    let record = sandbox.record();
    PodSandbox {
        id: sandbox.id().to_string(),
        metadata: record.config.metadata.clone(),
        state: told_state(sandbox) as i32,
        created_at: sandbox.created_at(),
        labels: record.config.labels.clone(),
        annotations: record.config.annotations.clone(),
        runtime_handler: record.runtime_handler.clone(),
    }
}
