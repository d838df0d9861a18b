//! Volumes, and what apps mount of them.

use std::collections::BTreeMap;

use pod::manifest::{
    App, HostKind, Medium, Mount, MountOption, MountSource, PodManifest, VolumeSource,
};
use serde_json::{Map, Value, json};

/// The volumes of a pod, with those that apps mount without a name.
pub(super) struct Volumes {
    list: Vec<Value>,
    claims: BTreeMap<String, Value>,
    names: Vec<String>,
}

impl Volumes {
    pub(super) fn of(manifest: &PodManifest, left_out: &mut Vec<String>) -> Self {
        let mut volumes = Self {
            list: Vec::new(),
            claims: BTreeMap::new(),
            names: manifest
                .volumes
                .iter()
                .map(|one| one.name.to_string())
                .collect(),
        };
        for volume in &manifest.volumes {
            let mut source = match &volume.source {
                VolumeSource::Host { path, kind, .. } => {
                    let mut host = json!({ "path": path });
                    if let (Some(kind), Some(host)) = (kind, host.as_object_mut()) {
                        host.insert("type".to_owned(), json!(host_type(*kind)));
                    }
                    json!({ "hostPath": host })
                }
                VolumeSource::Empty { medium, size, .. } => {
                    if volume.read_only {
                        left_out.push(format!(
                            "files of volume {}: a ConfigMap or a Secret has them",
                            volume.name
                        ));
                    }
                    empty(*medium, *size)
                }
                VolumeSource::Named { volume, .. } => volumes.claim(volume.as_str()),
                VolumeSource::Image { image } => {
                    json!({ "image": { "reference": image.reference.to_string() } })
                }
            };
            let is_image = matches!(volume.source, VolumeSource::Image { .. });
            let is_empty = matches!(volume.source, VolumeSource::Empty { .. });
            if volume.read_only && !is_image && !is_empty {
                match source
                    .get_mut("persistentVolumeClaim")
                    .and_then(Value::as_object_mut)
                {
                    Some(claim) => {
                        claim.insert("readOnly".to_owned(), json!(true));
                    }
                    None => left_out.push(format!("that volume {} is read-only", volume.name)),
                }
            }
            volumes.push(volume.name.as_str(), source);
        }
        volumes
    }

    /// Documents of the volumes that outlive the pod.
    pub(super) fn claims(&self) -> Vec<Value> {
        self.claims.values().cloned().collect()
    }

    pub(super) fn list(&self) -> Vec<Value> {
        self.list.clone()
    }

    fn push(&mut self, name: &str, source: Value) {
        let mut volume = source;
        if let Some(volume) = volume.as_object_mut() {
            volume.insert("name".to_owned(), json!(name));
        }
        self.list.push(volume);
    }

    fn claim(&mut self, name: &str) -> Value {
        self.claims.insert(
            name.to_owned(),
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name },
                "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1" } } },
            }),
        );
        json!({ "persistentVolumeClaim": { "claimName": name } })
    }

    /// A volume for what an app mounts without a name.
    fn named(&mut self, app: &App, source: Value) -> String {
        let mut number = 0_u32;
        let name = loop {
            let short: String = app.name.as_str().chars().take(50).collect();
            let name = format!("{}-{number}", short.trim_end_matches('-'));
            if !self.names.contains(&name) {
                break name;
            }
            number = number.saturating_add(1);
        };
        self.names.push(name.clone());
        self.push(&name, source);
        name
    }

    /// What an app mounts; nothing of what a service manager gives it.
    pub(super) fn mount(
        &mut self,
        app: &App,
        mount: &Mount,
        left_out: &mut Vec<String>,
    ) -> Option<Value> {
        let mut result = Map::new();
        let (name, sub_path) = match &mount.source {
            // Whoever starts the pod gives it them again.
            MountSource::Notify | MountSource::Credentials { .. } => return None,
            MountSource::Volume { name, sub_path } => (name.to_string(), sub_path.clone()),
            MountSource::Host { path } => (
                self.named(app, json!({ "hostPath": { "path": path } })),
                None,
            ),
            MountSource::Named { name, sub_path } => {
                let source = self.claim(name.as_str());
                (self.named(app, source), sub_path.clone())
            }
            MountSource::Image { image, sub_path } => {
                let source = json!({ "image": { "reference": image.reference.to_string() } });
                (self.named(app, source), sub_path.clone())
            }
            MountSource::Tmpfs { size, .. } => {
                (self.named(app, empty(Medium::Memory, *size)), None)
            }
        };
        result.insert("name".to_owned(), json!(name));
        result.insert("mountPath".to_owned(), json!(mount.destination.as_str()));
        if let Some(sub_path) = sub_path {
            result.insert("subPath".to_owned(), json!(sub_path));
        }
        for option in &mount.options {
            let (key, value) = match option {
                MountOption::Ro => ("readOnly", json!(true)),
                MountOption::Rro => {
                    result.insert("readOnly".to_owned(), json!(true));
                    ("recursiveReadOnly", json!("Enabled"))
                }
                MountOption::Rslave => ("mountPropagation", json!("HostToContainer")),
                MountOption::Rshared => ("mountPropagation", json!("Bidirectional")),
                MountOption::Nocopy | MountOption::Exec | MountOption::Rw => continue,
                MountOption::Rprivate | MountOption::Rbind | MountOption::Nosuid => continue,
                MountOption::Nodev | MountOption::Idmap => continue,
                other => {
                    let place = mount.destination.as_str();
                    let word = json!(other);
                    let word = word.as_str().unwrap_or_default();
                    left_out.push(format!("option {word} of {place} in app {}", app.name));
                    continue;
                }
            };
            result.insert(key.to_owned(), value);
        }
        Some(result.into())
    }
}

fn empty(medium: Medium, size: Option<u64>) -> Value {
    let mut empty = Map::new();
    if medium == Medium::Memory {
        empty.insert("medium".to_owned(), json!("Memory"));
    }
    if let Some(size) = size {
        empty.insert("sizeLimit".to_owned(), json!(size.to_string()));
    }
    json!({ "emptyDir": empty })
}

fn host_type(kind: HostKind) -> &'static str {
    match kind {
        HostKind::Directory => "Directory",
        HostKind::File => "File",
        HostKind::Socket => "Socket",
        HostKind::CharDevice => "CharDevice",
        HostKind::BlockDevice => "BlockDevice",
    }
}
