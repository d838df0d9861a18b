//! From what is asked of a sandbox to what is asked of a pod.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cni_glue::config::Selection;
use engine::networks::spec::NetworkSpec;
use engine::pods::spec::{PodSpec, Users};
use pod::PodUuid;
use pod::feature::Feature;
use pod::manifest::{AppFailure, HostNamespace, Lifetime, Streams};

use super::{bandwidth, dns, machine, ports};
use crate::api::{LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption, PodSandboxConfig};
use crate::error::CriError;
use crate::identity::{SandboxId, pod_name};
use crate::record::{self, SandboxRecord};
use crate::shim::Shim;
use crate::{handlers, network, user_namespace};

const NAMESPACES: &str = "config.linux.security_context.namespace_options";
/// Longest path of a directory, in bytes: with a name in it, it is still one for the kernel.
const PATH_MAX: usize = 3072;
/// Most kernel parameters: each is a file that is written at the start.
const SYSCTLS_MAX: usize = 256;

/// Puts the pod of a sandbox together.
///
/// # Errors
/// [`CriError`] if the request makes no sense, or asks for what this runtime doesn't do.
pub(super) fn spec(shim: &Shim, record: &SandboxRecord) -> Result<PodSpec, CriError> {
    let config = &record.config;
    let metadata = config
        .metadata
        .as_ref()
        .ok_or_else(|| CriError::missing("config.metadata"))?;
    let name = pod_name(metadata)?;
    let uuid = PodUuid::random();
    let linux = config.linux.clone().unwrap_or_default();
    let security = linux.security_context.unwrap_or_default();
    let namespaces = security.namespace_options.clone().unwrap_or_default();
    let isolator = handlers::isolator(shim, &record.runtime_handler)?;
    let stage1 = handlers::known(shim, &isolator);
    if let Some(stage1) = &stage1 {
        handlers::require(stage1, features(&namespaces))?;
        handlers::require_machines(shim, &record.runtime_handler, stage1)?;
    }
    let is_host_network = is_in_host_network(&namespaces)?;
    let selection = match is_host_network {
        true => Selection::Host,
        false => network::of_sandbox(shim, SandboxId(uuid), metadata)?,
    };
    let limits = match bandwidth::asked(&config.annotations)? {
        Some(limits) => network::limits(shim, &selection, metadata, limits)?,
        None => None,
    };
    let mut network = NetworkSpec::from(selection);
    network.bandwidth = limits;
    network.dns = dns::options(config.dns_config.as_ref(), is_host_network)?;
    if !is_host_network {
        network.ports = ports::specs(&config.port_mappings)?;
    }
    let mut spec = PodSpec::new(network, Vec::new());
    spec.uuid = uuid;
    spec.name = Some(name);
    spec.hostname = hostname(config, is_host_network)?;
    spec.annotations = record::annotations(record)?;
    spec.labels = labels(&config.labels);
    spec.streams = Streams::Log;
    spec.lifetime = Lifetime::UntilStopped;
    // Nothing that Kubernetes says of a pod keeps a container from it; each is told for itself.
    spec.new_privileges = true;
    spec.on_app_failure = AppFailure::Continue;
    spec.host_namespaces = host_namespaces(&namespaces, is_host_network)?;
    spec.users = users(&namespaces)?;
    spec.cgroup_parent = shim.cgroups.parent(&linux.cgroup_parent)?;
    spec.sysctl = sysctls(linux.sysctls)?;
    spec.isolator = Some(isolator);
    if stage1.is_some_and(|stage1| machine::is_of(&stage1)) {
        machine::size(linux.resources.as_ref(), &mut spec)?;
    }
    check_security(&security)?;
    check_log_directory(&config.log_directory)?;
    Ok(spec)
}

/// Those by which people find the pod as well. Kubelets are told of all, from the record.
fn labels(asked: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = asked.clone();
    labels.retain(|key, value| {
        !key.is_empty() && !key.contains(char::is_control) && !value.contains('\0')
    });
    labels
}

fn sysctls(asked: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, CriError> {
    match asked.len() {
        count if count > SYSCTLS_MAX => Err(CriError::invalid(
            "config.linux.sysctls",
            format!("{count} are more than {SYSCTLS_MAX}"),
        )),
        _ => Ok(asked),
    }
}

/// What isolators have to be able to do for namespaces that are not a pod's own, and the fields that say so.
fn features(namespaces: &NamespaceOption) -> Vec<(Feature, &'static str)> {
    let has_own_users = matches!(
        user_namespace::of(namespaces.userns_options.as_ref()),
        Ok(Some(_))
    );
    let asked = [
        (
            is_node(namespaces.network),
            Feature::HostNetwork,
            "config.linux.security_context.namespace_options.network",
        ),
        (
            is_node(namespaces.pid),
            Feature::HostPids,
            "config.linux.security_context.namespace_options.pid",
        ),
        (
            is_node(namespaces.ipc),
            Feature::HostNamespaces,
            "config.linux.security_context.namespace_options.ipc",
        ),
        (
            has_own_users,
            Feature::UserNamespaces,
            "config.linux.security_context.namespace_options.userns_options",
        ),
    ];
    let asked = asked.into_iter();
    asked
        .filter_map(|(is_asked, feature, field)| is_asked.then_some((feature, field)))
        .collect()
}

fn is_node(mode: i32) -> bool {
    mode == NamespaceMode::Node as i32
}

/// Whether a sandbox is in the host's network.
fn is_in_host_network(namespaces: &NamespaceOption) -> Result<bool, CriError> {
    match NamespaceMode::try_from(namespaces.network) {
        Ok(NamespaceMode::Node) => Ok(true),
        Ok(NamespaceMode::Pod | NamespaceMode::Container) => Ok(false),
        Ok(NamespaceMode::Target) | Err(_) => Err(no_such_mode("network", namespaces.network)),
    }
}

fn no_such_mode(namespace: &str, mode: i32) -> CriError {
    CriError::invalid(
        format!("{NAMESPACES}.{namespace}"),
        format!("a sandbox has no namespace of mode {mode}"),
    )
}

/// The host name: the host's own in its network, or the one that is given.
fn hostname(config: &PodSandboxConfig, is_host_network: bool) -> Result<Option<String>, CriError> {
    match (config.hostname.as_str(), is_host_network) {
        ("", _) => Ok(None),
        (name, _) if name.len() > 64 => Err(CriError::invalid(
            "config.hostname",
            "it is longer than 64 characters",
        )),
        (name, _) if !is_host_name(name) => Err(CriError::invalid(
            "config.hostname",
            format!("{name:?} is no name of a host"),
        )),
        (name, _) => Ok(Some(name.to_owned())),
    }
}

/// It stands in `/etc/hosts`, too.
fn is_host_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().all(is_known) && name.split('.').all(|label| !label.is_empty())
}

fn host_namespaces(
    namespaces: &NamespaceOption,
    is_host_network: bool,
) -> Result<BTreeSet<HostNamespace>, CriError> {
    let mut shared = BTreeSet::new();
    for (name, mode, shares) in [
        ("pid", namespaces.pid, HostNamespace::Pid),
        ("ipc", namespaces.ipc, HostNamespace::Ipc),
    ] {
        match NamespaceMode::try_from(mode) {
            Ok(NamespaceMode::Node) => {
                shared.insert(shares);
            }
            Ok(NamespaceMode::Pod | NamespaceMode::Container) => {}
            Ok(NamespaceMode::Target) | Err(_) => {
                return Err(no_such_mode(name, mode));
            }
        }
    }
    if is_host_network {
        shared.insert(HostNamespace::Uts);
    }
    Ok(shared)
}

fn users(namespaces: &NamespaceOption) -> Result<Users, CriError> {
    let mapped = user_namespace::of(namespaces.userns_options.as_ref())?;
    Ok(mapped.map_or(Users::Host, Users::Mapped))
}

/// What is asked of the sandbox's own processes: pod init, which runs nothing of an image and has no privileges in any case.
fn check_security(security: &LinuxSandboxSecurityContext) -> Result<(), CriError> {
    match security.run_as_group.is_some() && security.run_as_user.is_none() {
        true => Err(CriError::invalid(
            "config.linux.security_context.run_as_group",
            "it is given without run_as_user",
        )),
        false => Ok(()),
    }
}

fn check_log_directory(path: &str) -> Result<(), CriError> {
    let refused = |reason| Err(CriError::invalid("config.log_directory", reason));
    match path {
        "" => Ok(()),
        path if !Path::new(path).is_absolute() => refused("it is not absolute"),
        path if path.len() > PATH_MAX => refused("it is too long for a path"),
        path if path.contains('\0') => refused("it holds a NUL byte"),
        path if path.split('/').any(|part| part == "..") => refused("it leads upwards (..)"),
        _ => Ok(()),
    }
}
