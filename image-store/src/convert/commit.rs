//! What an app has changed of its image, as a new image: the layers of the old one, and one more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use image_document::cosign;
use image_document::media_type::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use image_document::{DocumentError, Manifest, Platform, go_json};
use image_layer::{Limits, sha256};
use image_name::Digest;
use serde_json::{Map, Value, json};

use super::config_change::ConfigChange;
use super::layer_file::{LayerFile, LayerWriter};
use crate::error::StoreError;
use crate::interrupt::Interrupt;
use crate::source::ImageSource;
use crate::store::{Staging, Store};
use crate::tree::{Tree, pack_layer};

/// What is to become an image.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// Which app of which pod, for messages and the image's record.
    pub of: String,
    /// The manifest of the image that was changed.
    pub base: &'a Digest,
    /// The changes.
    pub changes: &'a Tree,
    /// What of them is left out: paths in the tree.
    pub but: &'a BTreeSet<Vec<u8>>,
    /// What the app was run with, where that is not the image's.
    pub run_with: &'a [ConfigChange],
    /// What else is to be changed of how it is run.
    pub settings: &'a [ConfigChange],
    /// When this is, RFC 3339.
    pub created: String,
    /// Who says so.
    pub author: Option<String>,
    /// What the image's history says of it.
    pub message: Option<String>,
    /// What made the changes, for the history.
    pub created_by: String,
    /// What may be in a layer.
    pub limits: Limits,
}

/// An image on its way, in a directory of the store for half-done things. Dropping it leaves nothing.
#[derive(Debug)]
pub struct StagedCommit {
    staging: Staging,
    of: String,
    manifest: Digest,
    size: usize,
    gone: Vec<String>,
    keeps_layers: bool,
}

impl Store {
    /// Packs the changes, and writes what makes an image of them. Nothing is visible before its source is fetched.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if the old image is not in the store any more; [`StoreError::InvalidSource`] for what no layer
    /// can hold; if something can't be read or written.
    pub fn stage_commit(
        &self,
        commit: &Commit<'_>,
        interrupt: &Interrupt,
    ) -> Result<StagedCommit, StoreError> {
        // All of it has to be there.
        let platform = Platform::host();
        self.image(commit.base, &platform)?;
        let base = self.parsed_manifest(commit.base, &platform)?;
        let config = self.read_blob(
            "configuration",
            &base.config.digest,
            Limits::default().config,
        )?;
        let staging = self.stage()?;
        interrupt.staged(staging.path());
        let layout = layout_of(&staging);
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)
            .map_err(|error| StoreError::io("cannot create", &blobs, error))?;
        let file = blobs.join("layer");
        let out = interrupt.writer(LayerWriter::create(&file)?);
        let (layer, gone) = pack_layer(
            commit.changes,
            commit.but,
            &commit.limits,
            out,
            Path::new(&commit.of),
        )?;
        let layer = layer.into_inner().finish()?;
        let blob = blobs.join(layer.digest.hex());
        fs::rename(&file, &blob).map_err(|error| StoreError::io("cannot rename", &file, error))?;
        let config = configuration(commit, &config, base.layers.len(), &layer)?;
        let manifest = manifest(&base, &config, &layer);
        let mut keeps_layers = true;
        for layer in &base.layers {
            keeps_layers &= self.has_blob(&layer.digest)?;
        }
        let staged = StagedCommit {
            staging,
            of: commit.of.clone(),
            manifest: sha256(&manifest),
            size: manifest.len(),
            gone,
            keeps_layers,
        };
        for document in [&config, &manifest] {
            staged.write_blob(document)?;
        }
        staged.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        staged.write_index(Vec::new())?;
        Ok(staged)
    }
}

impl StagedCommit {
    /// Where the image is fetched from, for as long as this is there.
    #[must_use]
    pub fn source(&self) -> ImageSource {
        ImageSource::Commit {
            of: self.of.clone(),
            path: layout_of(&self.staging),
        }
    }

    /// The digest of its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Digest {
        &self.manifest
    }

    /// Paths that were gone by the time that they were to be read, a thousand at most.
    #[must_use]
    pub fn gone(&self) -> &[String] {
        &self.gone
    }

    /// Whether the store has the compressed layers of the old image, so that those of the new one can be kept too.
    #[must_use]
    pub fn keeps_layers(&self) -> bool {
        self.keeps_layers
    }

    /// Adds a signature, in cosign's tag format.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn sign(&self, payload: &[u8], signature: &str) -> Result<(), StoreError> {
        let Some(signed) = cosign::append(None, payload, signature)? else {
            return Ok(());
        };
        for blob in [&*signed.config, payload, &*signed.manifest] {
            self.write_blob(blob)?;
        }
        let mut entry = descriptor(
            OCI_MANIFEST,
            &sha256(&signed.manifest),
            signed.manifest.len(),
        );
        if let Some(entry) = entry.as_object_mut() {
            let name = cosign::tag(&self.manifest, "sig");
            let annotations = json!({ "org.opencontainers.image.ref.name": name });
            entry.insert("annotations".to_owned(), annotations);
        }
        self.write_index(vec![entry])
    }

    fn write_index(&self, further: Vec<Value>) -> Result<(), StoreError> {
        let mut manifests = vec![descriptor(OCI_MANIFEST, &self.manifest, self.size)];
        manifests.extend(further);
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        self.write("index.json", index.to_string().as_bytes())
    }

    fn write_blob(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(&format!("blobs/sha256/{}", sha256(bytes).hex()), bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = layout_of(&self.staging).join(name);
        fs::write(&path, bytes).map_err(|error| StoreError::io("cannot write", &path, error))
    }
}

fn layout_of(staging: &Staging) -> PathBuf {
    staging.path().join("layout")
}

fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// The configuration of the old image with what is new. What Docker notes of the container that it was built in goes.
fn configuration(
    commit: &Commit<'_>,
    old: &[u8],
    layers: usize,
    layer: &LayerFile,
) -> Result<Vec<u8>, StoreError> {
    let what = format!("configuration of {}", commit.of);
    let bad = |reason: String| {
        StoreError::Document(DocumentError::NotJson {
            what: what.clone(),
            reason,
        })
    };
    let mut new: Map<String, Value> =
        go_json::from_slice(old).map_err(|error| bad(error.to_string()))?;
    for of_container in ["container", "container_config"] {
        new.remove(of_container);
    }
    let mut config = match new.remove("config") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    ConfigChange::apply(commit.run_with, &mut config);
    ConfigChange::apply(commit.settings, &mut config);
    new.insert("config".to_owned(), Value::Object(config));
    new.insert("created".to_owned(), json!(commit.created));
    if let Some(author) = &commit.author {
        new.insert("author".to_owned(), json!(author));
    }
    let diff_ids = new
        .get_mut("rootfs")
        .and_then(|rootfs| rootfs.get_mut("diff_ids"));
    let Some(Value::Array(diff_ids)) = diff_ids else {
        return Err(bad("it names no layers".to_owned()));
    };
    diff_ids.push(json!(layer.diff_id));
    let mut history = match new.remove("history") {
        Some(Value::Array(history)) => history,
        _ => Vec::new(),
    };
    // There is to be a step for each layer.
    let makes_layer = |step: &&Value| step.get("empty_layer") != Some(&json!(true));
    let told = history.iter().filter(makes_layer).count();
    history.extend((told..layers).map(|_| json!({})));
    history.push(step(commit));
    new.insert("history".to_owned(), Value::Array(history));
    serde_json::to_vec(&new).map_err(|error| bad(error.to_string()))
}

fn step(commit: &Commit<'_>) -> Value {
    let mut step = Map::new();
    let told = [
        ("created", Some(&commit.created)),
        ("created_by", Some(&commit.created_by)),
        ("author", commit.author.as_ref()),
        ("comment", commit.message.as_ref()),
    ];
    for (name, value) in told {
        step.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    Value::Object(step)
}

/// In OCI's form, of which the old one's layers are, too.
fn manifest(base: &Manifest, config: &[u8], layer: &LayerFile) -> Vec<u8> {
    let layers = base.layers.iter().map(|layer| {
        json!({ "mediaType": of_oci(&layer.media_type), "digest": layer.digest, "size": layer.size })
    });
    let new = json!({
        "mediaType": format!("{OCI_LAYER}{}", layer.suffix), "digest": layer.digest, "size": layer.size,
    });
    let layers: Vec<Value> = layers.chain([new]).collect();
    let config = descriptor(OCI_CONFIG, &sha256(config), config.len());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
    });
    manifest.to_string().into_bytes()
}

/// OCI's name for a layer of the kind that Docker calls so.
fn of_oci(media_type: &str) -> String {
    match media_type.strip_prefix("application/vnd.docker.") {
        None => media_type.to_owned(),
        Some(docker) if docker.ends_with(".gzip") => format!("{OCI_LAYER}+gzip"),
        Some(docker) if docker.ends_with(".zstd") => format!("{OCI_LAYER}+zstd"),
        Some(_) => OCI_LAYER.to_owned(),
    }
}
