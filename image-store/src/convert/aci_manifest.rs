//! The manifest of an appc image, and what of it an OCI image can say.

use std::collections::BTreeMap;

use image_document::{DocumentError, Platform, go_json};
use image_name::Reference;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::platform::with_platform;
use crate::error::StoreError;

/// Ports that one entry may stand for.
const MAX_PORTS: u64 = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AciManifest {
    ac_kind: String,
    ac_version: String,
    name: String,
    #[serde(default)]
    labels: Vec<NameValue>,
    app: Option<App>,
    #[serde(default)]
    dependencies: Vec<Value>,
    #[serde(default)]
    path_whitelist: Vec<String>,
    #[serde(default)]
    annotations: Vec<NameValue>,
}

#[derive(Deserialize)]
struct NameValue {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    #[serde(default)]
    exec: Vec<String>,
    user: String,
    group: String,
    #[serde(rename = "supplementaryGIDs", default)]
    supplementary_gids: Vec<u64>,
    #[serde(default)]
    event_handlers: Vec<Value>,
    working_directory: Option<String>,
    #[serde(default)]
    environment: Vec<NameValue>,
    #[serde(default)]
    mount_points: Vec<MountPoint>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    isolators: Vec<Isolator>,
    #[serde(default)]
    user_annotations: BTreeMap<String, String>,
    #[serde(default)]
    user_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct MountPoint {
    path: String,
}

#[derive(Deserialize)]
struct Port {
    name: String,
    protocol: String,
    port: u64,
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Isolator {
    name: String,
}

/// Parses the manifest and refuses what can't become an image.
pub(super) fn parse(what: &str, bytes: &[u8]) -> Result<AciManifest, StoreError> {
    let manifest: AciManifest =
        go_json::from_slice(bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => bad(what, error.to_string()),
            _ => StoreError::Document(DocumentError::NotJson {
                what: format!("{what}: manifest"),
                reason: error.to_string(),
            }),
        })?;
    if manifest.ac_kind != "ImageManifest" {
        let kind = &manifest.ac_kind;
        return Err(bad(
            what,
            format!("its kind is {kind:?}, not ImageManifest"),
        ));
    }
    if !manifest.ac_version.starts_with("0.") {
        let version = &manifest.ac_version;
        return Err(bad(what, format!("its version {version:?} is unknown")));
    }
    if !manifest.dependencies.is_empty() {
        return Err(bad(
            what,
            "it depends on other images; render it into one without dependencies first".to_owned(),
        ));
    }
    if !manifest.path_whitelist.is_empty() {
        let reason = "it has a path whitelist, which is for images with dependencies";
        return Err(bad(what, reason.to_owned()));
    }
    for (number, label) in manifest.labels.iter().enumerate() {
        let mut before = manifest.labels.iter().take(number);
        if before.any(|other| other.name == label.name) {
            return Err(bad(what, format!("label {:?} appears twice", label.name)));
        }
    }
    Ok(manifest)
}

fn bad(what: &str, reason: String) -> StoreError {
    StoreError::Document(DocumentError::BadManifest {
        what: format!("{what}: manifest"),
        reason,
    })
}

/// Finds user and group of a file of the image.
type OwnerOf<'a> = dyn Fn(&str) -> Result<Option<(u32, u32)>, StoreError> + 'a;

impl AciManifest {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn label(&self, name: &str) -> Option<&str> {
        let label = self.labels.iter().find(|label| label.name == name)?;
        Some(&label.value)
    }

    /// Name and version as a reference; a name without a host would be one of Docker Hub, which it
    /// never was.
    pub(super) fn reference(&self) -> Option<Reference> {
        let host = self.name.split_once('/')?.0;
        if !host.contains('.') && !host.contains(':') && host != "localhost" {
            return None;
        }
        let version = self.label("version").unwrap_or("latest");
        Reference::parse(&format!("{}:{version}", self.name)).ok()
    }

    fn platform(&self, what: &str) -> Result<Platform, StoreError> {
        let os = self.label("os").unwrap_or("linux");
        let Some(arch) = self.label("arch") else {
            return Ok(Platform::host());
        };
        let (arch, variant) = match arch {
            "i386" => ("386", None),
            "aarch64" => ("arm64", None),
            "armv6l" => ("arm", Some("v6")),
            "armv7l" => ("arm", Some("v7")),
            "amd64" | "ppc64" | "ppc64le" | "s390x" => (arch, None),
            other => return Err(bad(what, format!("its architecture {other:?} is unknown"))),
        };
        Ok(Platform::new(os, arch, variant))
    }

    /// The configuration but for its layers, and what of the manifest has no place in it.
    pub(super) fn config(
        &self,
        what: &str,
        owner_of: &OwnerOf<'_>,
    ) -> Result<(Value, Vec<String>), StoreError> {
        let mut notes = Vec::new();
        let mut config = Map::new();
        let mut labels = self.image_labels();
        if let Some(app) = &self.app {
            app.fill(what, owner_of, &mut config)?;
            labels.extend(app.user_annotations.clone());
            labels.extend(app.user_labels.clone());
            notes = app.notes(what);
        }
        if !labels.is_empty() {
            config.insert("Labels".to_owned(), json!(labels));
        }
        let mut document = json!({ "config": config });
        let created = self.annotations.iter().find(|one| one.name == "created");
        if let (Some(created), Some(members)) = (created, document.as_object_mut()) {
            members.insert("created".to_owned(), json!(created.value));
        }
        Ok((with_platform(document, &self.platform(what)?), notes))
    }

    /// Labels and annotations, those with a name of OCI's under that name.
    fn image_labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        labels.insert("appc.io/name".to_owned(), self.name.clone());
        for label in &self.labels {
            let name = match label.name.as_str() {
                "os" | "arch" => continue,
                "version" => "org.opencontainers.image.version".to_owned(),
                name => format!("appc.io/label/{name}"),
            };
            labels.insert(name, label.value.clone());
        }
        for annotation in &self.annotations {
            let name = match annotation.name.as_str() {
                "created" => continue,
                "authors" => "org.opencontainers.image.authors",
                "homepage" => "org.opencontainers.image.url",
                "documentation" => "org.opencontainers.image.documentation",
                name => name,
            };
            labels.insert(name.to_owned(), annotation.value.clone());
        }
        labels
    }
}

impl App {
    fn fill(
        &self,
        what: &str,
        owner_of: &OwnerOf<'_>,
        config: &mut Map<String, Value>,
    ) -> Result<(), StoreError> {
        let mut set = |name: &str, value: Value| {
            config.insert(name.to_owned(), value);
        };
        if !self.exec.is_empty() {
            set("Entrypoint", json!(self.exec));
        }
        let owner = |path: &str| {
            let missing = || bad(what, format!("{path}, whose owner it runs as, is missing"));
            owner_of(path)?.ok_or_else(missing)
        };
        let user = match self.user.starts_with('/') {
            true => owner(&self.user)?.0.to_string(),
            false => self.user.clone(),
        };
        let group = match self.group.starts_with('/') {
            true => owner(&self.group)?.1.to_string(),
            false => self.group.clone(),
        };
        for (kind, name) in [("user", &user), ("group", &group)] {
            if name.is_empty() || name.contains(':') {
                return Err(bad(what, format!("its {kind} {name:?} is invalid")));
            }
        }
        set("User", json!(format!("{user}:{group}")));
        if let Some(folder) = &self.working_directory {
            if !folder.starts_with('/') {
                return Err(bad(
                    what,
                    "its working directory is not absolute".to_owned(),
                ));
            }
            set("WorkingDir", json!(folder));
        }
        let mut environment = Vec::new();
        for variable in &self.environment {
            let name = &variable.name;
            if name.is_empty() || name.contains(['=', '\0']) || variable.value.contains('\0') {
                return Err(bad(what, format!("{name:?} is not the name of a variable")));
            }
            environment.push(format!("{name}={}", variable.value));
        }
        if !environment.is_empty() {
            set("Env", json!(environment));
        }
        let mut volumes = BTreeMap::new();
        for point in &self.mount_points {
            if !point.path.starts_with('/') {
                let path = &point.path;
                return Err(bad(what, format!("mount point {path:?} is not absolute")));
            }
            volumes.insert(point.path.clone(), json!({}));
        }
        if !volumes.is_empty() {
            set("Volumes", json!(volumes));
        }
        let mut ports = BTreeMap::new();
        for port in &self.ports {
            for number in port.numbers(what)? {
                ports.insert(format!("{number}/{}", port.protocol), json!({}));
            }
        }
        if !ports.is_empty() {
            set("ExposedPorts", json!(ports));
        }
        Ok(())
    }

    /// What an image of OCI can't say. Nothing of it makes an app weaker confined than fairing
    /// confines every app.
    fn notes(&self, what: &str) -> Vec<String> {
        let mut lost = Vec::new();
        if !self.isolators.is_empty() {
            let names = self.isolators.iter().take(8).map(|one| one.name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            lost.push(format!("isolators ({names})"));
        }
        if !self.event_handlers.is_empty() {
            lost.push("event handlers".to_owned());
        }
        if !self.supplementary_gids.is_empty() {
            lost.push("supplementary groups".to_owned());
        }
        lost.into_iter()
            .map(|lost| format!("{what}: an OCI image has no place for its {lost}"))
            .collect()
    }
}

impl Port {
    fn numbers(&self, what: &str) -> Result<std::ops::RangeInclusive<u64>, StoreError> {
        let count = self.count.unwrap_or(1).max(1);
        let last = self.port.saturating_add(count - 1);
        let fits = self.port > 0 && last <= 65535 && count <= MAX_PORTS;
        if fits && matches!(self.protocol.as_str(), "tcp" | "udp") {
            return Ok(self.port..=last);
        }
        Err(bad(
            what,
            format!(
                "port {:?} must be tcp or udp, 1 to 65535, and {MAX_PORTS} at most",
                self.name
            ),
        ))
    }
}
