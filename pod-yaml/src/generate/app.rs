//! An app as a container.

use std::collections::BTreeSet;

use cni_glue::ports::PortMapping;
use engine::signal_names;
use pod::manifest::{
    App, Capability, Execution, ExitCodeOperator, PodAddress, RestartAction, RestartPolicy,
    RestartRule, Role, Seccomp, Security, TerminationMessagePolicy,
};
use pod::signal::SignalNumber;
use serde_json::{Map, Value, json};

use super::probes::{hooks, probes};
use super::resources::resources;
use super::restart::word;
use super::volumes::Volumes;

/// A container. `usual` is the policy of the pod.
pub(super) fn container(
    app: &App,
    usual: RestartPolicy,
    ports: &[PortMapping],
    volumes: &mut Volumes,
    left_out: &mut Vec<String>,
) -> Value {
    let mut container = Map::new();
    let mut put = |key: &str, value: Value| container.insert(key.to_owned(), value);
    let execution = &app.execution;
    put("name", json!(app.name.as_str()));
    put("image", json!(app.image.reference.to_string()));
    let words = execution
        .args
        .iter()
        .map(|word| with_names(&escaped(word), execution));
    put("command", words.collect());
    put("workingDir", json!(execution.cwd.as_str()));
    let env = execution
        .env
        .iter()
        .filter_map(|entry| entry.split_once('='));
    let env = env.map(|(name, value)| match execution.addresses.get(value) {
        Some(which) => {
            let path = match which {
                PodAddress::First => "status.podIP",
                PodAddress::All => "status.podIPs",
            };
            json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } })
        }
        None => json!({ "name": name, "value": with_names(&escaped(value), execution) }),
    });
    put("env", env.collect());
    for (is_so, key) in [(execution.terminal, "tty"), (execution.stdin, "stdin")] {
        if is_so {
            put(key, json!(true));
        }
    }
    let is_usual = match app.role {
        Role::Main => app.restart.policy == usual,
        Role::Init => app.restart.policy == of_init(usual),
        Role::Sidecar => false,
    };
    if !app.restart_rules.is_empty() {
        put(
            "restartPolicyRules",
            app.restart_rules.iter().map(rule).collect(),
        );
    }
    if let Some(message) = &app.termination_message {
        let policy = match message.policy {
            TerminationMessagePolicy::File => "File",
            TerminationMessagePolicy::FallbackToLogsOnError => "FallbackToLogsOnError",
        };
        put("terminationMessagePath", json!(message.path.as_str()));
        put("terminationMessagePolicy", json!(policy));
    }
    let is_usual = is_usual && app.restart_rules.is_empty();
    if app.role == Role::Sidecar {
        put("restartPolicy", json!("Always"));
    } else if !is_usual {
        put("restartPolicy", json!(word(app.restart.policy)));
    }
    if !ports.is_empty() {
        put("ports", ports.iter().flat_map(all_ports).collect());
    }
    if let Some(resources) = resources(&app.resources, &format!("app {}", app.name), left_out) {
        put("resources", resources);
    }
    let mounts = app.mounts.iter();
    let mounts: Vec<_> = mounts
        .filter_map(|mount| volumes.mount(app, mount, left_out))
        .collect();
    if !mounts.is_empty() {
        put("volumeMounts", mounts.into());
    }
    for (key, value) in probes(&app.probes) {
        put(&key, value);
    }
    let mut lifecycle = hooks(&app.hooks);
    if app.stop_signal != SignalNumber::TERM {
        let name = signal_names::name(app.stop_signal.number());
        lifecycle.insert("stopSignal".to_owned(), json!(name));
    }
    if !lifecycle.is_empty() {
        put("lifecycle", lifecycle.into());
    }
    let security = security(app, left_out);
    if !security.is_empty() {
        put("securityContext", security.into());
    }
    others(app, left_out);
    container.into()
}

fn rule(rule: &RestartRule) -> Value {
    let action = match rule.action {
        RestartAction::Restart => "Restart",
        RestartAction::RestartAllApps => "RestartAllContainers",
    };
    let operator = match rule.exit_codes.operator {
        ExitCodeOperator::In => "In",
        ExitCodeOperator::NotIn => "NotIn",
    };
    let codes = json!({ "operator": operator, "values": rule.exit_codes.values });
    json!({ "action": action, "exitCodes": codes })
}

/// When an init app is started again if nothing is said of it.
fn of_init(pod: RestartPolicy) -> RestartPolicy {
    match pod {
        RestartPolicy::Never => RestartPolicy::Never,
        RestartPolicy::OnFailure | RestartPolicy::Always => RestartPolicy::OnFailure,
    }
}

/// The text with `$(NAME)` of the variable that has an address of the pod, for that address.
fn with_names(text: &str, execution: &Execution) -> String {
    let mut text = text.to_owned();
    for mark in execution.addresses.keys() {
        let entries = execution
            .env
            .iter()
            .filter_map(|entry| entry.split_once('='));
        let mut named = entries.filter(|(_, value)| value == mark);
        if let Some((name, _)) = named.next() {
            text = text.replace(mark, &format!("$({name})"));
        }
    }
    text
}

/// `$(NAME)` would be replaced.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn all_ports(mapping: &PortMapping) -> Vec<Value> {
    let ports = (0..mapping.count).map(|number| {
        let mut port = Map::new();
        let mut put = |key: &str, value: Value| port.insert(key.to_owned(), value);
        let container = mapping.container_port.saturating_add(number);
        put("containerPort", json!(container));
        put("hostPort", json!(mapping.host_port.saturating_add(number)));
        put(
            "protocol",
            json!(mapping.protocol.to_string().to_uppercase()),
        );
        if let Some(ip) = mapping.host_ip {
            put("hostIP", json!(ip));
        }
        port.into()
    });
    ports.collect()
}

fn security(app: &App, left_out: &mut Vec<String>) -> Map<String, Value> {
    let mut result = Map::new();
    let mut put = |key: &str, value: Value| result.insert(key.to_owned(), value);
    let own = &app.security;
    let user = &app.execution.user;
    for (key, what, name) in [
        ("runAsUser", "user", &user.user),
        ("runAsGroup", "group", &user.group),
    ] {
        match name.parse::<u32>() {
            Ok(number) => {
                put(key, json!(number));
            }
            Err(_) if name.is_empty() => {}
            Err(_) => left_out.push(format!(
                "{what} {name} of app {}, unless the image says the same",
                app.name
            )),
        }
    }
    if own.privileged {
        put("privileged", json!(true));
    } else if !own.no_new_privileges {
        put("allowPrivilegeEscalation", json!(true));
    }
    if own.read_only_root {
        put("readOnlyRootFilesystem", json!(true));
    }
    if let Some(sets) = &own.capabilities {
        let usual = BTreeSet::from(Capability::DEFAULT);
        let words = |set: Vec<Capability>| -> Value {
            let words = set
                .iter()
                .map(|one| json!(one.word().trim_start_matches("CAP_")));
            words.collect()
        };
        let add = sets.ambient.iter().copied().collect();
        let drop: Vec<_> = usual.difference(&sets.bounding).copied().collect();
        put(
            "capabilities",
            json!({ "add": words(add), "drop": words(drop) }),
        );
        let mut again = usual.clone();
        again.extend(&sets.ambient);
        again.retain(|one| sets.bounding.contains(one));
        if again != sets.bounding {
            left_out.push(format!("some capabilities of app {}", app.name));
        }
    }
    match &own.seccomp {
        None => {}
        Some(Seccomp::Unconfined) => {
            put("seccompProfile", json!({ "type": "Unconfined" }));
        }
        Some(Seccomp::Profile { .. }) => {
            left_out.push(format!("the filter of system calls of app {}", app.name));
        }
    }
    match (&own.masked_paths, &own.readonly_paths) {
        (None, None) => {}
        (Some(masked), Some(read_only)) if masked.is_empty() && read_only.is_empty() => {
            put("procMount", json!("Unmasked"));
        }
        _ => left_out.push(format!("which paths app {} can't read or write", app.name)),
    }
    if let Some(profile) = &own.apparmor_profile {
        let profile = json!({ "type": "Localhost", "localhostProfile": profile });
        put("appArmorProfile", profile);
    }
    result
}

fn others(app: &App, left_out: &mut Vec<String>) {
    let (execution, security) = (&app.execution, &app.security);
    let usual = Security::default();
    let facts = [
        (!app.devices.is_empty(), "devices"),
        (!app.device_rules.is_empty(), "--device-cgroup-rule"),
        (app.systemd, "--systemd"),
        (app.log.is_some(), "--log-driver and --log-opt"),
        (!app.labels.is_empty(), "labels"),
        (!app.annotations.is_empty(), "annotations"),
        (!execution.rlimits.is_empty(), "--ulimit"),
        (execution.oom_score_adj.is_some(), "--oom-score-adj"),
        (execution.user.umask.is_some(), "--umask"),
        (
            !execution.user.additional_groups.is_empty(),
            "--group-add by name",
        ),
        (execution.stdin_once, "the one input"),
        (
            security.proc_options != usual.proc_options,
            "options of /proc",
        ),
        (security.writable_cgroups, "writable cgroups"),
    ];
    for (is_so, what) in facts {
        if is_so {
            left_out.push(format!("{what} of app {}", app.name));
        }
    }
}
