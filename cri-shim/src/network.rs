//! The network of pods.

use cni_glue::config::{ConfigFolder, NetworkRequest, Networks, Selection, Source};

use crate::api::PodSandboxMetadata;
use crate::error::CriError;
use crate::identity::SandboxId;
use crate::shim::Shim;

/// The network that sandboxes join: the one that the configuration of the shim names, or the first one where all of CNI's
/// runtimes look. `None` while there is none.
///
/// # Errors
/// If a file of the configuration can't be read, or the name can't be one.
pub(crate) fn of_pods(shim: &Shim) -> Result<Option<NetworkRequest>, CriError> {
    let name = match &shim.settings.network {
        Some(name) => name.parse().map_err(|error| {
            CriError::invalid("[cri] network", format!("{name:?} is no network: {error}"))
        })?,
        None => {
            let shared = ConfigFolder {
                path: shim.engine.cni.config.clone(),
                own: false,
            };
            let networks = Networks::load(&[shared]).map_err(engine::Error::from)?;
            let first = networks.lists().iter();
            let mut first = first.filter(|list| list.source != Source::BuiltIn);
            match first.next() {
                Some(list) => list.name.clone(),
                None => return Ok(None),
            }
        }
    };
    Ok(Some(NetworkRequest {
        name,
        arguments: Vec::new(),
    }))
}

/// What a sandbox joins.
///
/// # Errors
/// As [`of_pods`]; and if there is no network yet.
pub(crate) fn of_sandbox(
    shim: &Shim,
    id: SandboxId,
    metadata: &PodSandboxMetadata,
) -> Result<Selection, CriError> {
    let mut request = of_pods(shim)?.ok_or_else(|| {
        CriError::Exhausted(format!(
            "no network is configured in {}: install a network plugin, or set network = \"default\" in the table [cri] \
             of config.toml",
            shim.engine.cni.config.display()
        ))
    })?;
    if is_of_plugins(shim, &request)? {
        request.arguments = arguments(id, metadata);
    }
    Ok(Selection::Named(vec![request]))
}

/// Whether plugins make the network, and can be told things.
fn is_of_plugins(shim: &Shim, request: &NetworkRequest) -> Result<bool, CriError> {
    let networks = engine::networks::settings::networks(&shim.engine)?;
    let list = networks.get(&request.name);
    Ok(list.is_some_and(|list| list.source != Source::BuiltIn))
}

/// What plugins for Kubernetes look for in `CNI_ARGS`.
fn arguments(id: SandboxId, metadata: &PodSandboxMetadata) -> Vec<(String, String)> {
    let arguments = [
        ("IgnoreUnknown", "1"),
        ("K8S_POD_NAMESPACE", &metadata.namespace),
        ("K8S_POD_NAME", &metadata.name),
        ("K8S_POD_INFRA_CONTAINER_ID", &id.to_string()),
        ("K8S_POD_UID", &metadata.uid),
    ];
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    arguments.map(own).into()
}
