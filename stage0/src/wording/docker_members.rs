//! What `inspect` shows, in the spelling of docker and podman, as templates of scripts ask for it.

use engine::pods::mount_view::{MountKind, MountView};
use engine::pods::view::{AppState, PodView};
use pod::State;
use pod::exit::Outcome;
use pod::manifest::User;
use serde_json::{Value, json};

use super::exit_code::OTHER;

/// What there is of an image, from what `image inspect` shows of it.
pub(crate) fn of_image(value: &Value) -> Value {
    let config = value.get("config");
    let of_config = |name: &str| config.and_then(|config| config.get(name));
    json!({
        "Id": value.get("config-digest"),
        "Digest": value.get("manifest"),
        "RepoTags": [value.get("reference")],
        "RepoDigests": repository_digest(value),
        "Config": with_all_settings(of_config("config").cloned().unwrap_or_default()),
        "Created": of_config("created"),
        "Os": of_config("os"),
        "Architecture": of_config("architecture"),
        "Author": of_config("author"),
        "Size": value.get("size"),
        "RootFS": { "Type": "layers", "Layers": value.get("layers") },
    })
}

fn repository_digest(value: &Value) -> Vec<String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some(reference), Some(digest)) = (text("reference"), text("digest")) else {
        return Vec::new();
    };
    let untagged = match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    };
    let name = untagged.split('@').next().unwrap_or_default();
    vec![format!("{name}@{digest}")]
}

/// The settings of an image, each of them named: what it doesn't set is nothing, and no mistake of who asks for it.
fn with_all_settings(config: Value) -> Value {
    let names = [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
    ];
    let unset = names.map(|name| (name.to_owned(), Value::Null));
    let mut all: serde_json::Map<String, Value> = unset.into_iter().collect();
    if let Value::Object(set) = config {
        all.extend(set);
    }
    Value::Object(all)
}

/// Of a pod that has not ended, none: docker's zero.
fn exit_code(view: &PodView) -> i32 {
    match (view.exit_code, view.state) {
        (Some(code), _) => code,
        // It was killed, and nobody knows: as `wait` says.
        (None, State::Exited) => i32::from(OTHER),
        (None, _) => 0,
    }
}

/// What there is of a pod; of its apps, the first is the container that docker has.
pub(crate) fn of_pod(view: &PodView) -> Value {
    let is_running = view.state == State::Running;
    let was_killed_for_memory = view.apps.iter().any(|app| {
        matches!(
            app.outcome,
            Some(Outcome::Signaled {
                oom_killed: true,
                ..
            })
        )
    });
    let first = view.apps.first();
    let address = view
        .networks
        .first()
        .and_then(|network| network.addresses.first())
        .map(|address| address.address.address().to_string());
    let networks: serde_json::Map<String, Value> = view
        .networks
        .iter()
        .map(|network| {
            let addresses = network.addresses.iter();
            let first = addresses.map(|address| address.address.address().to_string());
            let value = json!({ "IPAddress": first.collect::<Vec<_>>().first() });
            (network.name.to_string(), value)
        })
        .collect();
    json!({
        "Id": view.uuid,
        "Name": view.name,
        "Image": first.map(|app| &app.manifest),
        "ImageName": first.map(|app| &app.image),
        "Created": view.created,
        "Path": first.and_then(|app| app.command.first()),
        "Args": first.map(|app| app.command.get(1..).unwrap_or_default()),
        "Mounts": mounts(view),
        "State": {
            "Status": view.state,
            "Running": is_running,
            "Paused": view.apps.iter().any(|app| app.state == AppState::Paused),
            "OOMKilled": was_killed_for_memory,
            "Pid": first.and_then(|app| app.pid).unwrap_or(0),
            "ExitCode": exit_code(view),
            "Error": view.failure.clone().unwrap_or_default(),
            "StartedAt": view.started,
            "FinishedAt": view.finished,
        },
        "Config": {
            "Hostname": view.hostname,
            "Image": first.map(|app| &app.image),
            "Cmd": first.map(|app| &app.command),
            "Env": first.map(|app| &app.env),
            "User": first.map(|app| user(&app.user)),
            "WorkingDir": first.map(|app| &app.cwd),
            "Labels": view.labels,
        },
        "HostConfig": {
            "Memory": first.and_then(|app| app.memory_limit).unwrap_or(0),
            "NanoCpus": first.and_then(|app| app.cpu_limit).unwrap_or(0),
            // Without a word, it is the default of the configuration at the start.
            "PidsLimit": first.and_then(|app| app.pids_limit),
        },
        "NetworkSettings": {
            "IPAddress": address.unwrap_or_default(),
            "Networks": networks,
        },
    })
}

/// All mounts of the pod's apps.
fn mounts(view: &PodView) -> Vec<Value> {
    let value = |mount: &MountView| {
        let words: Vec<Value> = mount.options.iter().map(|option| json!(option)).collect();
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        json!({
            "Type": mount.kind,
            "Name": mount.volume.as_ref().filter(|_| mount.kind != MountKind::Bind),
            "Source": mount.source.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            "Destination": mount.destination,
            "Mode": words.join(","),
            "Options": words,
            "RW": !mount.read_only,
        })
    };
    view.apps
        .iter()
        .flat_map(|app| &app.mounts)
        .map(value)
        .collect()
}

/// `USER:GROUP`, as `--user` takes it.
fn user(user: &User) -> String {
    match user.group.is_empty() {
        true => user.user.clone(),
        false => format!("{}:{}", user.user, user.group),
    }
}

/// Our own members, and those of docker and podman in their spelling, which come first.
pub(crate) fn with(value: Value, words: Value) -> Value {
    match (value, words) {
        (Value::Object(mut own), Value::Object(words)) => {
            own.extend(words);
            Value::Object(own)
        }
        (own, _) => own,
    }
}
