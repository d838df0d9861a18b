//! The network of pods.

use cni_glue::config::{ConfigFolder, NetworkRequest, Networks, Selection, Source};

use crate::api::PodSandboxMetadata;
use crate::error::CriError;
use crate::identity::SandboxId;
use crate::shim::Shim;

/// The network that fairing itself makes.
const DEFAULT: &str = "default";

/// The network that sandboxes join: what the configuration of the shim says, or the first one where all of CNI's runtimes
/// look. `None` while there is none.
///
/// # Errors
/// If a file of the configuration can't be read, or there is no network of that name.
pub(crate) fn of_pods(shim: &Shim) -> Result<Option<Selection>, CriError> {
    if let Some(words) = &shim.settings.network {
        return configured(shim, words).map(Some);
    }
    let shared = ConfigFolder {
        path: shim.engine.cni.config.clone(),
        own: false,
    };
    let networks = Networks::load(&[shared]).map_err(engine::Error::from)?;
    let mut lists = networks.lists().iter();
    let first = lists.find(|list| list.source != Source::BuiltIn);
    Ok(first.map(|list| {
        Selection::Named(vec![NetworkRequest {
            name: list.name.clone(),
            arguments: Vec::new(),
        }])
    }))
}

/// The network that the configuration of the shim names.
fn configured(shim: &Shim, words: &str) -> Result<Selection, CriError> {
    let invalid = |error: &dyn std::fmt::Display| CriError::invalid("[cri] network", error);
    let selection = Selection::parse([words]).map_err(|error| invalid(&error))?;
    match &selection {
        Selection::None => {}
        Selection::Host => {
            return Err(invalid(
                &"sandboxes that don't ask for the host's network don't get it: name one of the node's, or none",
            ));
        }
        // It is there in any case, whatever else is.
        Selection::Named(requests) if requests.iter().all(|one| one.name.as_str() == DEFAULT) => {}
        Selection::All | Selection::Named(_) => {
            let networks = engine::networks::settings::networks(&shim.engine)?;
            networks
                .select(&selection)
                .map_err(|error| invalid(&error))?;
        }
    }
    Ok(selection)
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
    let mut selection = of_pods(shim)?.ok_or_else(|| {
        CriError::NotReady(format!(
            "no network is configured in {}: install a network plugin, or set network = \"default\" in the table [cri] \
             of config.toml",
            shim.engine.cni.config.display()
        ))
    })?;
    if let Selection::Named(requests) = &mut selection {
        for request in requests {
            if is_of_plugins(shim, request)? {
                request.arguments.extend(arguments(id, metadata));
            }
        }
    }
    Ok(selection)
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
