//! Small images, and broken ones.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::artifact::{Artifact, Descriptor, digest_of};
use crate::binaries::{probe_binary, repository};
use crate::format::Format;
use crate::layer::{Compression, Layer, pack};

/// A way for an image to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The last layer's blob ends in the middle; its digest and size are those of the whole.
    TruncatedLayer,
    /// The last layer's blob has its proper size, and another content than its digest says.
    ChangedLayer,
    /// The last layer is no valid gzip, and its digest fits.
    CorruptGzip,
    /// The configuration's last diff ID is not that of the layer.
    WrongDiffId,
    /// The configuration blob has another content than its digest says.
    ChangedConfig,
    /// The configuration is no JSON, and its digest fits.
    ConfigNotJson,
    /// The manifest is no JSON, and its digest fits.
    ManifestNotJson,
    /// The last layer's blob does not exist.
    MissingLayer,
}

/// An image that is being put together.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    layers: Vec<Layer>,
    config: Map<String, Value>,
    environment: Vec<String>,
    architecture: String,
    system: String,
    format: Format,
    faults: Vec<Fault>,
}

impl ImageBuilder {
    /// An image without layers, for the host's platform.
    pub fn new() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            layers: Vec::new(),
            config: Map::new(),
            environment: vec![
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ],
            architecture: architecture.to_owned(),
            system: "linux".to_owned(),
            format: Format::Oci,
            faults: Vec::new(),
        }
    }

    /// busybox with its applets in `/bin`, `/etc/passwd` and `/etc/group` with the users
    /// `root`, `nobody` (65534) and `app` (1000, group 1000, also in `staff`, 50), an empty
    /// `/home/app`, and `/bin/sh` as its command.
    pub fn busybox() -> Self {
        Self::new().layer(BUSYBOX.clone()).cmd(["/bin/sh"])
    }

    /// [`ImageBuilder::busybox`] and the probe program at `/probe`, which is its command.
    pub fn probe() -> Self {
        let program = fs::read(probe_binary()).expect("read the probe");
        Self::busybox()
            .layer(Layer::new().file("probe", program, 0o755))
            .cmd(["/probe"])
    }

    /// Adds a layer on top.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Packs all layers that are there so far this way.
    pub fn compression(mut self, compression: Compression) -> Self {
        for layer in &mut self.layers {
            if let Some((tar, blob)) = &mut layer.packed {
                *blob = pack(tar, compression);
            }
            layer.compression = compression;
        }
        self
    }

    /// `Cmd`.
    pub fn cmd<I: IntoIterator<Item: Into<String>>>(self, words: I) -> Self {
        self.words("Cmd", words)
    }

    /// `Entrypoint`.
    pub fn entrypoint<I: IntoIterator<Item: Into<String>>>(self, words: I) -> Self {
        self.words("Entrypoint", words)
    }

    fn words<I: IntoIterator<Item: Into<String>>>(self, key: &str, words: I) -> Self {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        self.setting(key, json!(words))
    }

    /// One variable of `Env`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// `User`, such as `app`, `1000:50`, `app:staff`.
    pub fn user(self, user: &str) -> Self {
        self.setting("User", json!(user))
    }

    /// `WorkingDir`.
    pub fn workdir(self, path: &str) -> Self {
        self.setting("WorkingDir", json!(path))
    }

    /// `StopSignal`.
    pub fn stop_signal(self, signal: &str) -> Self {
        self.setting("StopSignal", json!(signal))
    }

    /// Any member of the configuration's `config`.
    pub fn setting(mut self, key: &str, value: Value) -> Self {
        self.config.insert(key.to_owned(), value);
        self
    }

    /// The platform that the configuration names, such as `linux/arm64`.
    pub fn platform(mut self, platform: &str) -> Self {
        let (system, architecture) = platform.split_once('/').expect("OS/ARCHITECTURE");
        self.system = system.to_owned();
        self.architecture = architecture.to_owned();
        self
    }

    /// The media types.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Breaks the image.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Makes the blobs.
    pub fn build(self) -> Artifact {
        let mut artifact = Artifact::default();
        let broken = |fault| self.faults.contains(&fault);
        let mut diff_ids = Vec::new();
        let mut layers = Vec::new();
        let last = self.layers.len().wrapping_sub(1);
        for (number, layer) in self.layers.iter().enumerate() {
            let mut blob = layer.blob();
            let mut diff_id = digest_of(&layer.tar());
            if number == last && broken(Fault::CorruptGzip) {
                let middle = blob.len() / 2;
                let end = (middle + 64).min(blob.len());
                blob[middle..end].fill(0xff);
            }
            if number == last && broken(Fault::WrongDiffId) {
                diff_id = digest_of(b"something else");
            }
            let digest = digest_of(&blob);
            layers.push(json!({
                "mediaType": self.layer_type(layer.compression),
                "digest": digest,
                "size": blob.len(),
            }));
            if number == last && broken(Fault::TruncatedLayer) {
                blob.truncate(blob.len() / 2);
            }
            if number == last && broken(Fault::ChangedLayer) {
                let middle = blob.len() / 2;
                blob[middle] ^= 0x55;
            }
            if !(number == last && broken(Fault::MissingLayer)) {
                artifact.blobs.insert(digest, blob);
            }
            diff_ids.push(diff_id);
        }

        let mut settings = self.config.clone();
        settings.insert("Env".to_owned(), json!(self.environment));
        let config = json!({
            "created": "2024-01-01T00:00:00Z",
            "architecture": self.architecture,
            "os": self.system,
            "config": settings,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let mut config = config.to_string().into_bytes();
        if broken(Fault::ConfigNotJson) {
            config = b"<html>no configuration</html>".to_vec();
        }
        let config_digest = digest_of(&config);
        let config_size = config.len();
        if broken(Fault::ChangedConfig) {
            let last = config.len() - 1;
            config[last] = b' ';
        }
        artifact.blobs.insert(config_digest.clone(), config);

        let (manifest_type, config_type) = match self.format {
            Format::Oci => (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
            ),
            Format::Docker => (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
            ),
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": { "mediaType": config_type, "digest": config_digest, "size": config_size },
            "layers": layers,
        });
        let mut manifest = manifest.to_string().into_bytes();
        if broken(Fault::ManifestNotJson) {
            manifest = b"<html>no manifest</html>".to_vec();
        }
        artifact.put_manifest(
            Descriptor {
                media_type: manifest_type.to_owned(),
                digest: digest_of(&manifest),
                size: manifest.len(),
                platform: Some((self.system, self.architecture)),
            },
            manifest,
        );
        artifact
    }

    fn layer_type(&self, compression: Compression) -> &'static str {
        match (self.format, compression) {
            (Format::Oci, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Format::Oci, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Format::Oci, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
            (Format::Docker, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
            (Format::Docker, Compression::Gzip) => {
                "application/vnd.docker.image.rootfs.diff.tar.gzip"
            }
            (Format::Docker, Compression::Zstd) => {
                "application/vnd.docker.image.rootfs.diff.tar.zstd"
            }
        }
    }
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Made once per process, and packed once per machine: gzip of two megabytes is slow in a
/// build for debugging.
static BUSYBOX: LazyLock<Layer> = LazyLock::new(|| {
    let path = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| fs::exists(path).is_ok_and(|there| there))
        .expect("busybox-static is not installed: run tests/prepare-machine");
    let program = fs::read(path).expect("read busybox");
    let list = Command::new(path)
        .arg("--list")
        .output()
        .expect("busybox --list");
    let applets = String::from_utf8(list.stdout).expect("names of applets");
    let mut layer = Layer::new()
        .folder("bin", 0o755)
        .file("bin/busybox", program, 0o755)
        .folder("etc", 0o755)
        .file(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\n\
             app:x:1000:1000:app:/home/app:/bin/sh\n\
             nobody:x:65534:65534:nobody:/:/bin/false\n",
            0o644,
        )
        .file(
            "etc/group",
            "root:x:0:\nstaff:x:50:app\napp:x:1000:\nnogroup:x:65534:\n",
            0o644,
        )
        .folder("root", 0o700)
        .folder("tmp", 0o1777)
        .folder("var", 0o755)
        .folder("home", 0o755)
        .owner(1000, 1000)
        .folder("home/app", 0o755)
        .owner(0, 0);
    for applet in applets.lines().filter(|name| *name != "busybox") {
        layer = layer.symlink(&format!("bin/{applet}"), "/bin/busybox");
    }
    let tar = layer.tar();
    let blob = cached_gzip(&tar);
    layer.packed = Some((tar, blob));
    layer
});

fn cached_gzip(tar: &[u8]) -> Vec<u8> {
    let digest = digest_of(tar);
    let (_, name) = digest.split_once(':').expect("sha256:HEX");
    let folder: PathBuf = repository().join("target/images/layers");
    let path = folder.join(format!("{name}.tar.gz"));
    if let Ok(blob) = fs::read(&path) {
        return blob;
    }
    let blob = pack(tar, Compression::Gzip);
    fs::create_dir_all(&folder).expect("the folder of cached layers");
    let mut file = tempfile::NamedTempFile::new_in(&folder).expect("a temporary file");
    std::io::Write::write_all(&mut file, &blob).expect("write a cached layer");
    file.persist(&path).expect("rename a cached layer");
    blob
}
