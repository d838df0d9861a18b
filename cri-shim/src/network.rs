//! The network of pods.

use std::time::Duration;

use cni_glue::bandwidth::{self, Bandwidth};
use cni_glue::builtin::PLUGIN_TYPE;
use cni_glue::config::{ConfigFolder, NetworkRequest, Networks, Selection, Source};

use crate::api::PodSandboxMetadata;
use crate::error::CriError;
use crate::identity::SandboxId;
use crate::journal::{self, Priority};
use crate::shim::Shim;

/// How long a plugin may think about whether it can take sandboxes: a kubelet asks again after five seconds.
const PLUGIN_PATIENCE: Duration = Duration::from_secs(2);
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
    let networks = of_node(shim)?;
    let mut lists = networks.lists().iter();
    let first = lists.find(|list| list.source != Source::BuiltIn);
    Ok(first.map(|list| {
        Selection::Named(vec![NetworkRequest {
            name: list.name.clone(),
            arguments: Vec::new(),
        }])
    }))
}

/// The networks where all of CNI's runtimes look.
fn of_node(shim: &Shim) -> Result<Networks, CriError> {
    let shared = ConfigFolder {
        path: shim.engine.cni.config.clone(),
        own: false,
    };
    let networks = Networks::load(&[shared]).map_err(engine::Error::from)?;
    shim.broken_networks.tell(networks.broken());
    Ok(networks)
}

/// What is to be known of the node's networks although one can be joined: the files that are passed over.
pub(crate) fn passed_over(shim: &Shim) -> String {
    if shim.settings.network.is_some() {
        return String::new();
    }
    let networks = of_node(shim).ok();
    let broken = networks.iter().flat_map(|networks| networks.broken());
    let texts: Vec<String> = broken
        .map(|error| format!("passed over: {error}"))
        .collect();
    texts.join("; ")
}

/// That there is no network, and which files are none although they are to be.
pub(crate) fn none_there(shim: &Shim) -> String {
    let folder = shim.engine.cni.config.display();
    let networks = of_node(shim).ok();
    let broken = networks.iter().flat_map(|networks| networks.broken());
    let broken: Vec<String> = broken.map(ToString::to_string).collect();
    match broken.is_empty() {
        false => format!(
            "no network is configured in {folder}: {}",
            broken.join("; ")
        ),
        true => format!("no network is configured in {folder}"),
    }
}

/// Asks the plugins of networks whether sandboxes can join: those that speak version 1.1 of CNI for themselves, and of others
/// whether they are there at all. What is built in is.
///
/// # Errors
/// What the first plugin says that can't take any, or which is missing.
pub(crate) fn ask_plugins(shim: &Shim, selection: &Selection) -> Result<(), CriError> {
    if matches!(selection, Selection::Host | Selection::None) {
        return Ok(());
    }
    let networks = engine::networks::settings::networks(&shim.engine)?;
    let mut runtime = shim.engine.attacher().runtime;
    runtime.timeout = PLUGIN_PATIENCE;
    let chosen = networks.select(selection).map_err(engine::Error::from)?;
    for (list, _) in chosen {
        if list.source != Source::BuiltIn {
            runtime.status(list).map_err(engine::Error::from)?;
        }
    }
    Ok(())
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
            shim.broken_networks.tell(networks.broken());
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
            "{}: install a network plugin, or set network = \"default\" in the table [cri] of config.toml",
            none_there(shim)
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

/// Whether plugins of others make the network, or help: they can be told things.
fn is_of_plugins(shim: &Shim, request: &NetworkRequest) -> Result<bool, CriError> {
    let networks = engine::networks::settings::networks(&shim.engine)?;
    let list = networks.get(&request.name);
    let plugins = list.into_iter().flat_map(|list| &list.plugins);
    Ok(plugins.into_iter().any(|plugin| plugin.kind != PLUGIN_TYPE))
}

/// The limits of a sandbox, if its networks keep some. Other runtimes run pods without where they don't, and say nothing of it.
///
/// # Errors
/// If a file of the configuration can't be read.
pub(crate) fn limits(
    shim: &Shim,
    selection: &Selection,
    sandbox: &PodSandboxMetadata,
    limits: Bandwidth,
) -> Result<Option<Bandwidth>, CriError> {
    let lack = lack_of_limits(shim, selection)?;
    let Some(lack) = lack else {
        return Ok(Some(limits));
    };
    journal::line(
        Priority::Warning,
        &format!(
            "warning: sandbox {}/{} receives and sends without limits ({limits} is asked for): {lack}",
            sandbox.namespace, sandbox.name
        ),
    );
    Ok(None)
}

/// Why networks don't keep limits, if one doesn't.
fn lack_of_limits(shim: &Shim, selection: &Selection) -> Result<Option<String>, CriError> {
    match selection {
        Selection::Host => return Ok(Some("it is in the host's network".to_owned())),
        Selection::None => return Ok(Some("it is in no network".to_owned())),
        Selection::All | Selection::Named(_) => {}
    }
    let networks = engine::networks::settings::networks(&shim.engine)?;
    let chosen = networks.select(selection).map_err(engine::Error::from)?;
    let mut lists = chosen.iter().map(|(list, _)| list);
    let lacking = lists.find(|list| !list.can(bandwidth::CAPABILITY));
    Ok(lacking.map(|list| {
        let name = &list.name;
        format!("no plugin of network {name} has the capability \"bandwidth\" in its configuration")
    }))
}

/// What plugins for Kubernetes look for in `CNI_ARGS`, beside `IgnoreUnknown`, which all are told.
fn arguments(id: SandboxId, metadata: &PodSandboxMetadata) -> Vec<(String, String)> {
    let arguments: [(&str, &str); 4] = [
        ("K8S_POD_NAMESPACE", &metadata.namespace),
        ("K8S_POD_NAME", &metadata.name),
        ("K8S_POD_INFRA_CONTAINER_ID", &id.to_string()),
        ("K8S_POD_UID", &metadata.uid),
    ];
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    arguments.map(own).into()
}
