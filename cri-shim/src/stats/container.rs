//! What containers use.

use super::attributes;
use super::gather::{Gathered, gather};
use super::numbers::{cpu, io, memory, swap};
use crate::api::{
    ContainerStats, ContainerStatsFilter, ContainerStatsRequest, ContainerStatsResponse,
    ListContainerStatsRequest, ListContainerStatsResponse, StreamContainerStatsRequest,
};
use crate::disk;
use crate::error::CriError;
use crate::sandbox::labels_fit;
use crate::shim::Shim;
use crate::state::{self, Container, ContainerPhase};

/// What one container uses.
pub(crate) fn one(
    shim: &Shim,
    request: ContainerStatsRequest,
) -> Result<ContainerStatsResponse, CriError> {
    let (sandbox, name) = state::container(shim, &request.container_id)?;
    let gathered = gather(shim, [&sandbox]);
    let mut containers = sandbox.containers();
    let stats = containers
        .find(|container| container.app.name == name)
        .map(|container| told(shim, &gathered, &container));
    Ok(ContainerStatsResponse { stats })
}

/// What the containers that fit a filter use. One that doesn't run is told of only if it is asked for.
pub(crate) fn list(
    shim: &Shim,
    request: ListContainerStatsRequest,
) -> Result<ListContainerStatsResponse, CriError> {
    let filter = request.filter.unwrap_or_default();
    let mut sandboxes = state::all(shim)?;
    sandboxes.retain(|sandbox| sandbox.id().to_string().starts_with(&filter.pod_sandbox_id));
    sandboxes.retain(|sandbox| sandbox.containers().any(|one| fits(&one, &filter)));
    let gathered = gather(shim, &sandboxes);
    let containers = sandboxes.iter().flat_map(|sandbox| sandbox.containers());
    let wanted = containers.filter(|container| {
        let runs = container.phase() == Some(ContainerPhase::Running);
        fits(container, &filter) && (runs || !filter.id.is_empty())
    });
    Ok(ListContainerStatsResponse {
        stats: wanted.map(|one| told(shim, &gathered, &one)).collect(),
    })
}

/// The same, to be streamed.
pub(crate) fn listed(
    shim: &Shim,
    request: StreamContainerStatsRequest,
) -> Result<Vec<ContainerStats>, CriError> {
    let filter = request.filter;
    Ok(list(shim, ListContainerStatsRequest { filter })?.stats)
}

fn fits(container: &Container<'_>, filter: &ContainerStatsFilter) -> bool {
    container.id().to_string().starts_with(&filter.id)
        && labels_fit(&container.record.config.labels, &filter.label_selector)
}

/// All that the interface tells of what a container uses.
pub(super) fn told(shim: &Shim, gathered: &Gathered, container: &Container<'_>) -> ContainerStats {
    let written = gathered.written(container);
    let mut told = ContainerStats {
        attributes: Some(attributes::of_container(container)),
        // Kubelets look for the file system by this path: it must not go with the container.
        writable_layer: Some(disk::told(
            &shim.engine.directories.data.join("pods"),
            written,
        )),
        ..ContainerStats::default()
    };
    let time = gathered.time(container.sandbox);
    if let (Some(at), Some(stats)) = (time, gathered.of_container(container)) {
        let id = container.id().to_string();
        let nano_cores = shim.rates.nano_cores(&id, at, stats.cpu.usage_ns);
        told.cpu = Some(cpu(at, &stats.cpu, &stats.pressure, nano_cores));
        told.memory = Some(memory(at, &stats.memory, &stats.pressure));
        told.swap = swap(at, &stats.memory);
        told.io = io(at, &stats.pressure);
    }
    told
}
