//! What sandboxes use.

use super::attributes;
use super::container;
use super::gather::{Gathered, gather};
use super::numbers::{cpu, io, memory, network, value};
use crate::api::{
    LinuxPodSandboxStats, ListPodSandboxStatsRequest, ListPodSandboxStatsResponse, PodSandboxStats,
    PodSandboxStatsFilter, PodSandboxStatsRequest, PodSandboxStatsResponse, ProcessUsage,
    StreamPodSandboxStatsRequest,
};
use crate::error::CriError;
use crate::sandbox::labels_fit;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase, Sandbox, SandboxPhase};

/// What one sandbox uses.
pub(crate) fn one(
    shim: &Shim,
    request: PodSandboxStatsRequest,
) -> Result<PodSandboxStatsResponse, CriError> {
    let sandbox = state::sandbox(shim, &request.pod_sandbox_id)?;
    let gathered = gather(shim, [&sandbox]);
    Ok(PodSandboxStatsResponse {
        stats: Some(told(shim, &gathered, &sandbox)),
    })
}

/// What the sandboxes that fit a filter use. One that has ended uses nothing.
pub(crate) fn list(
    shim: &Shim,
    request: ListPodSandboxStatsRequest,
) -> Result<ListPodSandboxStatsResponse, CriError> {
    let filter = request.filter.unwrap_or_default();
    let mut sandboxes = state::all(shim)?;
    sandboxes.retain(|sandbox| sandbox.phase == SandboxPhase::Ready && fits(sandbox, &filter));
    let gathered = gather(shim, &sandboxes);
    let stats = sandboxes.iter().map(|one| told(shim, &gathered, one));
    Ok(ListPodSandboxStatsResponse {
        stats: stats.collect(),
    })
}

/// The same, to be streamed.
pub(crate) fn listed(
    shim: &Shim,
    request: StreamPodSandboxStatsRequest,
) -> Result<Vec<PodSandboxStats>, CriError> {
    let filter = request.filter;
    Ok(list(shim, ListPodSandboxStatsRequest { filter })?.stats)
}

fn fits(sandbox: &Sandbox, filter: &PodSandboxStatsFilter) -> bool {
    sandbox.id().to_string().starts_with(&filter.id)
        && labels_fit(&sandbox.record().config.labels, &filter.label_selector)
}

fn told(shim: &Shim, gathered: &Gathered, sandbox: &Sandbox) -> PodSandboxStats {
    let mut linux = LinuxPodSandboxStats {
        containers: sandbox
            .containers()
            .filter(|container| container.phase() == Some(ContainerPhase::Running))
            .map(|container| container::told(shim, gathered, &container))
            .collect(),
        ..LinuxPodSandboxStats::default()
    };
    if let (Some(at), Some(measured)) = (gathered.time(sandbox), gathered.of_sandbox(sandbox)) {
        linux.network = network(at, &measured.interfaces, measured.network);
        if let Some(whole) = &measured.stats.whole {
            let id = sandbox.id().to_string();
            let nano_cores = shim.rates.nano_cores(&id, at, whole.cpu.usage_ns);
            linux.cpu = Some(cpu(at, &whole.cpu, &whole.pressure, nano_cores));
            linux.memory = Some(memory(at, &whole.memory, &whole.pressure));
            linux.io = io(at, &whole.pressure);
            linux.process = Some(ProcessUsage {
                timestamp: at,
                process_count: value(whole.pids.processes.or(whole.pids.current)),
            });
        }
    }
    PodSandboxStats {
        attributes: Some(attributes::of_sandbox(sandbox)),
        linux: Some(linux),
        windows: None,
    }
}
