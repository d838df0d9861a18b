//! A pod as a whole.

use cni_glue::config::Selection;
use cni_glue::names::DnsMode;
use cni_glue::ports::PortMapping;
use pod::manifest::{
    HostNamespace, ImageGroups, InsecureOption, Lifetime, PodManifest, ReadyWhen, Restart,
    RestartPolicy, Role,
};
use serde_json::{Map, Value, json};

use super::app;
use super::emit::document;
use super::resources::resources;
use super::restart::word;
use super::volumes::Volumes;

/// YAML, and what of the pod it can't say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The documents.
    pub text: String,
    /// What is left out.
    pub left_out: Vec<String>,
}

/// Writes a pod as Kubernetes would have it.
pub fn generate(manifest: &PodManifest) -> Generated {
    let mut left_out = Vec::new();
    let mut metadata = Map::new();
    let name = match &manifest.name {
        Some(name) => name.to_string(),
        None => format!("pod-{}", manifest.uuid.short()),
    };
    metadata.insert("name".to_owned(), json!(name));
    for (key, texts) in [
        ("labels", &manifest.labels),
        ("annotations", &manifest.annotations),
    ] {
        if !texts.is_empty() {
            metadata.insert(key.to_owned(), json!(texts));
        }
    }
    let mut volumes = Volumes::of(manifest, &mut left_out);
    let spec = spec(manifest, &name, &mut volumes, &mut left_out);
    let mut documents = volumes.claims();
    documents.push(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
    }));
    let documents: Vec<_> = documents.iter().map(document).collect();
    Generated {
        text: documents.join("---\n"),
        left_out,
    }
}

fn spec(
    manifest: &PodManifest,
    name: &str,
    volumes: &mut Volumes,
    left_out: &mut Vec<String>,
) -> Map<String, Value> {
    let mut spec = Map::new();
    let mut put = |key: &str, value: Value| spec.insert(key.to_owned(), value);
    let restart = restart(manifest, left_out);
    put("restartPolicy", json!(restart.0));
    let grace = manifest.grace_period_ms.div_ceil(1000);
    put("terminationGracePeriodSeconds", json!(grace));
    if let Some(seconds) = manifest.active_deadline_seconds {
        put("activeDeadlineSeconds", json!(seconds));
    }
    if manifest.hostname != name && !manifest.host_namespaces.contains(&HostNamespace::Uts) {
        put("hostname", json!(manifest.hostname));
    }
    put("hostUsers", json!(manifest.user_namespace.is_none()));
    match &manifest.network {
        Selection::Host => {
            put("hostNetwork", json!(true));
        }
        Selection::None => left_out.push("no network: `fairing play --network none`".to_owned()),
        Selection::All => left_out.push("networks: `fairing play --network all`".to_owned()),
        Selection::Named(requests) => {
            for request in requests {
                if request.name.as_str() != "default" || !request.arguments.is_empty() {
                    let name = &request.name;
                    left_out.push(format!("network {name}: `fairing play --network {name}`"));
                }
            }
        }
    }
    for (namespace, key) in [
        (HostNamespace::Ipc, "hostIPC"),
        (HostNamespace::Pid, "hostPID"),
    ] {
        if manifest.host_namespaces.contains(&namespace) {
            put(key, json!(true));
        }
    }
    for namespace in [HostNamespace::Uts, HostNamespace::Cgroup] {
        if manifest.host_namespaces.contains(&namespace) {
            left_out.push(format!("--{}=host", namespace.word()));
        }
    }
    let own = manifest.apps.iter().filter(|app| app.own_processes).count();
    match own {
        0 if !manifest.host_namespaces.contains(&HostNamespace::Pid) => {
            put("shareProcessNamespace", json!(true));
        }
        own if own < manifest.apps.len() && own > 0 => {
            left_out.push("that only some apps have process IDs of their own".to_owned());
        }
        _ => {}
    }
    let dns = &manifest.dns;
    match dns.mode {
        DnsMode::Automatic => {}
        DnsMode::Host => {
            put("dnsPolicy", json!("Default"));
        }
        DnsMode::None => left_out.push("that there is no name server (--dns none)".to_owned()),
    }
    let mut config = Map::new();
    if !dns.servers.is_empty() {
        config.insert("nameservers".to_owned(), json!(dns.servers));
    }
    if !dns.search.is_empty() {
        config.insert("searches".to_owned(), json!(dns.search));
    }
    if !dns.options.is_empty() {
        let options = dns
            .options
            .iter()
            .map(|option| match option.split_once(':') {
                Some((name, value)) => json!({ "name": name, "value": value }),
                None => json!({ "name": option }),
            });
        config.insert("options".to_owned(), options.collect());
    }
    if !config.is_empty() {
        put("dnsConfig", config.into());
    }
    if !manifest.hosts.is_empty() {
        let aliases = manifest.hosts.iter();
        let aliases = aliases.map(|entry| json!({ "ip": entry.address, "hostnames": entry.names }));
        put("hostAliases", aliases.collect());
    }
    let mut security = Map::new();
    if !manifest.sysctl.is_empty() {
        let sysctls = manifest.sysctl.iter();
        let sysctls = sysctls.map(|(name, value)| json!({ "name": name, "value": value }));
        security.insert("sysctls".to_owned(), sysctls.collect());
    }
    let groups = |app: &pod::manifest::App| app.execution.user.additional_gids.clone();
    let first = manifest.apps.first().map(groups).unwrap_or_default();
    match manifest.apps.iter().all(|app| groups(app) == first) {
        true if !first.is_empty() => {
            security.insert("supplementalGroups".to_owned(), json!(first));
        }
        true => {}
        false => left_out.push("that only some apps have further groups".to_owned()),
    }
    let is_strict = |app: &pod::manifest::App| match app.execution.user.image_groups {
        // A group by hand replaces them.
        None => !app.execution.user.group.is_empty(),
        Some(groups) => groups == ImageGroups::LeftOut,
    };
    let strict = manifest.apps.iter().filter(|app| is_strict(app)).count();
    match strict {
        0 => {}
        all if all == manifest.apps.len() => {
            security.insert("supplementalGroupsPolicy".to_owned(), json!("Strict"));
        }
        _ => left_out.push("that only some apps have groups of their images".to_owned()),
    }
    if !security.is_empty() {
        put("securityContext", security.into());
    }
    if let Some(resources) = resources(&manifest.resources, "the pod", left_out) {
        put("resources", resources);
    }
    others(manifest, left_out);
    let mut init = Vec::new();
    let mut main = Vec::new();
    for app in &manifest.apps {
        // Ports are the pod's: any app may have them.
        let ports: &[PortMapping] = match main.is_empty() && app.role == Role::Main {
            true => &manifest.ports,
            false => &[],
        };
        let container = app::container(app, restart.1, ports, volumes, left_out);
        match app.role {
            Role::Main => main.push(container),
            Role::Init | Role::Sidecar => init.push(container),
        }
    }
    put("containers", main.into());
    if !init.is_empty() {
        put("initContainers", init.into());
    }
    let volumes = volumes.list();
    if !volumes.is_empty() {
        put("volumes", volumes.into());
    }
    spec
}

/// The policy of the pod, and whether apps are started again at all where nothing is said.
fn restart(manifest: &PodManifest, left_out: &mut Vec<String>) -> (&'static str, RestartPolicy) {
    let mut main = manifest.apps.iter().filter(|app| app.role == Role::Main);
    let policy = main
        .next()
        .map_or(RestartPolicy::Never, |app| app.restart.policy);
    for app in &manifest.apps {
        let usual = Restart {
            policy: app.restart.policy,
            ..Restart::default()
        };
        if app.restart != usual {
            left_out.push(format!(
                "how often and how soon app {} starts again",
                app.name
            ));
        }
    }
    (word(policy), policy)
}

/// What Kubernetes has no words for.
fn others(manifest: &PodManifest, left_out: &mut Vec<String>) {
    let facts = [
        (manifest.lifetime != Lifetime::WithApps, "--lifetime"),
        (manifest.ready_when != ReadyWhen::Started, "--ready-when"),
        (manifest.bandwidth.is_some(), "--bandwidth"),
        (manifest.shm_size.is_some(), "--shm-size"),
        (manifest.cgroup_parent.is_some(), "the parent of its cgroup"),
        (manifest.virtual_machine.is_some(), "--kvm-…"),
        (manifest.stage1.name != "nspawn", "--stage1"),
        (manifest.remove_on_exit, "--rm: `fairing play --wait`"),
        (
            manifest
                .user_namespace
                .as_ref()
                .is_some_and(|ids| ids.block().is_none()),
            "which users it has: --userns",
        ),
    ];
    for (is_so, what) in facts {
        if is_so {
            left_out.push(what.to_owned());
        }
    }
    for option in &manifest.insecure_options {
        let option: InsecureOption = *option;
        left_out.push(format!("--insecure-options={}", option.word()));
    }
}
