//! The blobs of an image or index, and the ways to hand them over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::format::Format;
use crate::http;
use crate::registry::Registry;

/// `sha256:HEX` of these bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The content of an image (or of an index of several): blobs by digest, manifests among them.
///
/// Blobs can be changed after the image was made; what names them is not.
#[derive(Debug, Clone, Default)]
pub struct Artifact {
    /// All blobs and manifests by digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    manifests: Vec<Descriptor>,
}

/// What names a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: usize,
    pub(crate) platform: Option<(String, String)>,
}

impl Descriptor {
    fn json(&self) -> Value {
        let mut value = json!({
            "mediaType": self.media_type, "digest": self.digest, "size": self.size,
        });
        if let Some((system, architecture)) = &self.platform {
            value["platform"] = json!({ "os": system, "architecture": architecture });
        }
        value
    }
}

/// An index of these images, which may be of several platforms.
pub fn index<I: IntoIterator<Item = Artifact>>(format: Format, images: I) -> Artifact {
    let mut all = Artifact::default();
    let mut entries = Vec::new();
    for image in images {
        entries.push(image.top().json());
        all.blobs.extend(image.blobs);
        all.manifests.extend(image.manifests);
    }
    let media_type = match format {
        Format::Oci => "application/vnd.oci.image.index.v1+json",
        Format::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
    };
    let content = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
    let content = content.to_string().into_bytes();
    let descriptor = Descriptor {
        media_type: media_type.to_owned(),
        digest: digest_of(&content),
        size: content.len(),
        platform: None,
    };
    all.put_manifest(descriptor, content);
    all
}

impl Artifact {
    pub(crate) fn put_manifest(&mut self, descriptor: Descriptor, content: Vec<u8>) {
        self.blobs.insert(descriptor.digest.clone(), content);
        self.manifests.push(descriptor);
    }

    fn top(&self) -> &Descriptor {
        self.manifests.last().expect("an artifact has a manifest")
    }

    pub(crate) fn manifests(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// The digest of the index, or of the manifest if there is no index.
    pub fn digest(&self) -> String {
        self.top().digest.clone()
    }

    /// The media type of the index or manifest.
    pub fn media_type(&self) -> &str {
        &self.top().media_type
    }

    /// The manifest (of the last image).
    pub fn manifest(&self) -> Value {
        let descriptor = self
            .manifests
            .iter()
            .rev()
            .find(|descriptor| descriptor.platform.is_some())
            .expect("an image manifest");
        serde_json::from_slice(&self.blobs[&descriptor.digest]).expect("manifest JSON")
    }

    /// The digests of the layers' blobs, base first.
    pub fn layer_digests(&self) -> Vec<String> {
        self.manifest()["layers"]
            .as_array()
            .expect("layers")
            .iter()
            .map(|layer| layer["digest"].as_str().expect("a digest").to_owned())
            .collect()
    }

    /// Pushes everything to a registry as `NAME:TAG`, and gives the full reference. The registry
    /// checks what it takes: broken images need a [`crate::ScriptedRegistry`].
    #[track_caller]
    pub fn push(&self, registry: &Registry, name_and_tag: &str) -> String {
        let (name, tag) = name_and_tag
            .rsplit_once(':')
            .unwrap_or((name_and_tag, "latest"));
        let at = registry.address();
        for (digest, blob) in &self.blobs {
            if self
                .manifests
                .iter()
                .any(|manifest| manifest.digest == *digest)
            {
                continue;
            }
            let begun = http::request(at, "POST", &format!("/v2/{name}/blobs/uploads/"), &[], &[]);
            assert!(
                begun.status == 202,
                "the registry takes no upload: {begun:?}"
            );
            let location = begun.header("location").expect("a place to upload to");
            let path = location
                .find("/v2/")
                .map_or(location, |start| &location[start..]);
            let separator = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{separator}digest={digest}");
            let kind = [("Content-Type", "application/octet-stream")];
            let put = http::request(at, "PUT", &path, &kind, blob);
            assert!(put.status == 201, "the registry refuses {digest}: {put:?}");
        }
        for manifest in &self.manifests {
            let last = manifest.digest == self.top().digest;
            let reference = if last { tag } else { &manifest.digest };
            let path = format!("/v2/{name}/manifests/{reference}");
            let kind = [("Content-Type", manifest.media_type.as_str())];
            let put = http::request(at, "PUT", &path, &kind, &self.blobs[&manifest.digest]);
            assert!(
                put.status == 201,
                "the registry refuses the manifest: {put:?}"
            );
        }
        registry.reference(&format!("{name}:{tag}"))
    }

    /// Writes an OCI layout directory, with this tag. More artifacts can be written to the same.
    pub fn write_layout(&self, folder: &Path, tag: &str) {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("the layout's folders");
        for (digest, blob) in &self.blobs {
            let (_, name) = digest.split_once(':').expect("sha256:HEX");
            fs::write(blobs.join(name), blob).expect("write a blob");
        }
        fs::write(folder.join("oci-layout"), LAYOUT).expect("write oci-layout");
        let mut entries: Vec<Value> = fs::read(folder.join("index.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .and_then(|index| index["manifests"].as_array().cloned())
            .unwrap_or_default();
        entries.retain(|entry| entry["annotations"][TAG] != json!(tag));
        entries.push(self.tagged(tag));
        fs::write(folder.join("index.json"), index_file(&entries)).expect("write index.json");
    }

    /// Writes an OCI layout as a tar.
    pub fn write_oci_archive(&self, file: &Path, tag: &str) {
        let mut archive = Archive::create(file);
        archive.add("oci-layout", LAYOUT.as_bytes());
        archive.add("index.json", index_file(&[self.tagged(tag)]).as_bytes());
        for (digest, blob) in &self.blobs {
            archive.add(&format!("blobs/{}", digest.replace(':', "/")), blob);
        }
        archive.end();
    }

    /// Writes what `docker save` writes, with this name and tag. Layers are stored as they are
    /// packed; make them with [`crate::Compression::None`] for what docker itself writes.
    pub fn write_docker_archive(&self, file: &Path, name_and_tag: &str) {
        let manifest = self.manifest();
        let name_of = |value: &Value| {
            let digest = value["digest"].as_str().expect("a digest");
            let (_, name) = digest.split_once(':').expect("sha256:HEX");
            (digest.to_owned(), name.to_owned())
        };
        let mut archive = Archive::create(file);
        let (digest, config) = name_of(&manifest["config"]);
        let config = format!("{config}.json");
        archive.add(&config, &self.blobs[&digest]);
        let mut layers = Vec::new();
        for layer in manifest["layers"].as_array().expect("layers") {
            let (digest, name) = name_of(layer);
            let path = format!("{name}/layer.tar");
            if let Some(blob) = self.blobs.get(&digest) {
                archive.add(&path, blob);
            }
            layers.push(path);
        }
        let list = json!([{ "Config": config, "RepoTags": [name_and_tag], "Layers": layers }]);
        archive.add("manifest.json", list.to_string().as_bytes());
        archive.end();
    }

    fn tagged(&self, tag: &str) -> Value {
        let mut entry = self.top().json();
        entry["annotations"] = json!({ TAG: tag });
        entry
    }
}

const TAG: &str = "org.opencontainers.image.ref.name";
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

fn index_file(entries: &[Value]) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    })
    .to_string()
}

struct Archive(tar::Builder<File>);

impl Archive {
    fn create(file: &Path) -> Self {
        Self(tar::Builder::new(
            File::create(file).expect("create the archive"),
        ))
    }

    fn add(&mut self, path: &str, content: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len().try_into().expect("a length"));
        header.set_mode(0o644);
        self.0
            .append_data(&mut header, path, content)
            .expect("write the archive");
    }

    fn end(self) {
        self.0.into_inner().expect("end the archive");
    }
}
