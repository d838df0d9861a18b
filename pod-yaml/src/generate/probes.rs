//! Probes and hooks.

use std::net::IpAddr;

use pod::manifest::{HookAction, Hooks, HttpGetAction, Probe, ProbeAction, Probes, Scheme};
use serde_json::{Map, Value, json};

/// The probes of an app, by their fields.
pub(super) fn probes(probes: &Probes) -> Map<String, Value> {
    let all = [
        ("startupProbe", &probes.startup),
        ("readinessProbe", &probes.readiness),
        ("livenessProbe", &probes.liveness),
    ];
    let given = all
        .into_iter()
        .filter_map(|(key, one)| Some((key, one.as_ref()?)));
    given
        .map(|(key, one)| (key.to_owned(), probe(one)))
        .collect()
}

fn probe(probe: &Probe) -> Value {
    let mut result = Map::new();
    let (key, value) = match &probe.action {
        ProbeAction::Exec(exec) => ("exec", json!({ "command": exec.args })),
        ProbeAction::HttpGet(get) => ("httpGet", http(get)),
        ProbeAction::TcpSocket { port, host } => {
            ("tcpSocket", with_host(json!({ "port": port }), host))
        }
        ProbeAction::Grpc { port, service } => {
            ("grpc", json!({ "port": port, "service": service }))
        }
    };
    result.insert(key.to_owned(), value);
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds.get()),
        ("periodSeconds", probe.period_seconds.get()),
        ("successThreshold", probe.success_threshold.get()),
        ("failureThreshold", probe.failure_threshold.get()),
    ];
    for (key, number) in numbers {
        result.insert(key.to_owned(), json!(number));
    }
    if let Some(seconds) = probe.termination_grace_period_seconds {
        result.insert("terminationGracePeriodSeconds".to_owned(), json!(seconds));
    }
    result.into()
}

fn with_host(mut value: Value, host: &Option<IpAddr>) -> Value {
    if let (Some(host), Some(members)) = (host, value.as_object_mut()) {
        members.insert("host".to_owned(), json!(host));
    }
    value
}

fn http(get: &HttpGetAction) -> Value {
    let headers = get.headers.iter();
    let headers = headers.map(|header| json!({ "name": header.name, "value": header.value }));
    let scheme = match get.scheme {
        Scheme::Http => "HTTP",
        Scheme::Https => "HTTPS",
    };
    let value = json!({
        "port": get.port, "path": get.path, "scheme": scheme,
        "httpHeaders": headers.collect::<Vec<_>>(),
    });
    with_host(value, &get.host)
}

/// The hooks of an app, by their fields.
pub(super) fn hooks(hooks: &Hooks) -> Map<String, Value> {
    let all = [
        ("postStart", &hooks.post_start),
        ("preStop", &hooks.pre_stop),
    ];
    let given = all
        .into_iter()
        .filter_map(|(key, one)| Some((key, one.as_ref()?)));
    given
        .map(|(key, one)| (key.to_owned(), hook(one)))
        .collect()
}

fn hook(hook: &HookAction) -> Value {
    match hook {
        HookAction::Exec(exec) => json!({ "exec": { "command": exec.args } }),
        HookAction::HttpGet(get) => json!({ "httpGet": http(get) }),
        HookAction::Sleep { seconds } => json!({ "sleep": { "seconds": seconds } }),
    }
}
