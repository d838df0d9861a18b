//! What `inspect` shows, in the spelling of docker and podman, as templates of scripts ask for it.

mod confinement;
mod network;
mod pod;

use serde_json::{Value, json};

pub(crate) use self::network::of_network;
pub(crate) use self::pod::{mount_names, of_pod};

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
