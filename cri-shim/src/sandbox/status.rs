//! How a sandbox is.

use std::collections::BTreeMap;

use engine::pods::connection::live_status;
use pod::manifest::PodManifest;

use crate::api::{
    LinuxPodSandboxStatus, Namespace, PodIp, PodSandboxNetworkStatus, PodSandboxState,
    PodSandboxStatus, PodSandboxStatusRequest, PodSandboxStatusResponse,
};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, Sandbox, SandboxPhase};
use crate::{container, disk};

/// How a sandbox is, and how its containers are: so a kubelet that follows events asks once.
pub(crate) fn status(
    shim: &Shim,
    request: PodSandboxStatusRequest,
) -> Result<PodSandboxStatusResponse, CriError> {
    let sandbox = state::sandbox(shim, &request.pod_sandbox_id)?;
    let info = match request.verbose {
        true => information(shim, &sandbox),
        false => BTreeMap::new(),
    };
    // What is told is at least as new as this.
    let timestamp = disk::now();
    let containers = sandbox.containers();
    Ok(PodSandboxStatusResponse {
        status: Some(told(&sandbox)),
        info,
        containers_statuses: containers.filter_map(|one| container::told(&one)).collect(),
        timestamp,
    })
}

/// The state of a sandbox, as the interface has it.
pub(crate) fn told_state(sandbox: &Sandbox) -> PodSandboxState {
    match sandbox.phase {
        SandboxPhase::Ready => PodSandboxState::SandboxReady,
        SandboxPhase::Starting | SandboxPhase::NotReady => PodSandboxState::SandboxNotready,
    }
}

/// All that the interface tells of a sandbox.
pub(crate) fn told(sandbox: &Sandbox) -> PodSandboxStatus {
    let record = sandbox.record();
    let config = &record.config;
    let security = config.linux.as_ref();
    let security = security.and_then(|linux| linux.security_context.as_ref());
    let options = security.and_then(|security| security.namespace_options.clone());
    PodSandboxStatus {
        id: sandbox.id().to_string(),
        metadata: config.metadata.clone(),
        state: told_state(sandbox) as i32,
        created_at: sandbox.created_at(),
        network: Some(network(sandbox)),
        linux: Some(LinuxPodSandboxStatus {
            namespaces: Some(Namespace {
                options: Some(options.unwrap_or_default()),
            }),
        }),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        runtime_handler: record.runtime_handler.clone(),
    }
}

/// The same of one that is gone.
pub(crate) fn told_of_gone(sandbox: &Sandbox) -> PodSandboxStatus {
    PodSandboxStatus {
        state: PodSandboxState::SandboxNotready as i32,
        network: Some(PodSandboxNetworkStatus::default()),
        ..told(sandbox)
    }
}

/// Its addresses; none for one in the host's network, or that has ended.
fn network(sandbox: &Sandbox) -> PodSandboxNetworkStatus {
    let joined = match sandbox.phase {
        // A torn record says as little as none.
        SandboxPhase::Ready => pod::network::load(&sandbox.entry.path).ok().flatten(),
        SandboxPhase::Starting | SandboxPhase::NotReady => None,
    };
    let networks = joined.into_iter().flat_map(|status| status.networks);
    let addresses = networks.flat_map(|network| network.addresses);
    let mut addresses = addresses.map(|address| address.address.address().to_string());
    PodSandboxNetworkStatus {
        ip: addresses.next().unwrap_or_default(),
        additional_ips: addresses.map(|ip| PodIp { ip }).collect(),
    }
}

/// What people look at, and tools such as `crictl`: they find the network by `pid`.
fn information(shim: &Shim, sandbox: &Sandbox) -> BTreeMap<String, String> {
    // Of a monitor that does not answer, nothing is told.
    let live = live_status(&sandbox.entry, &shim.engine.directories);
    let live = live.ok().flatten();
    // What is kept of it lacks some texts.
    let whole = PodManifest::load(&sandbox.entry.path);
    let info = serde_json::json!({
        "pid": live.map(|live| live.init_pid).unwrap_or_default(),
        "pod": whole.as_ref().unwrap_or(sandbox.manifest()),
    });
    BTreeMap::from([("info".to_owned(), info.to_string())])
}
