//! What the tests are made of: layouts with images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_layer::sha256;
use image_name::Digest;
use serde_json::json;

use crate::source::ImageSource;
pub(crate) use image_layer::fixture::{Head, Tar, gzip, tree, zstd};

/// A layer as an image names it.
#[derive(Clone)]
pub(crate) struct TestLayer {
    pub(crate) blob: Vec<u8>,
    pub(crate) diff_id: Digest,
}

impl TestLayer {
    pub(crate) fn gzip(tar: &[u8]) -> Self {
        Self {
            blob: gzip(tar),
            diff_id: sha256(tar),
        }
    }
}

/// An OCI layout in a directory, with images for `linux/amd64`.
pub(crate) struct TestLayout {
    path: PathBuf,
    index: Vec<serde_json::Value>,
}

impl TestLayout {
    pub(crate) fn new(path: &Path) -> Self {
        fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self {
            path: path.to_owned(),
            index: Vec::new(),
        }
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = sha256(bytes);
        fs::write(self.blob_path(&digest), bytes).unwrap();
        digest
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    /// Adds an image and gives the digest of its manifest.
    pub(crate) fn image(&mut self, tag: &str, layers: &[TestLayer]) -> Digest {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": [tag] },
            "rootfs": {
                "type": "layers",
                "diff_ids": layers.iter().map(|l| l.diff_id.to_string()).collect::<Vec<_>>(),
            },
        })
        .to_string();
        let named = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": self.blob(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": image_document::media_type::OCI_MANIFEST,
            "config": named(image_document::media_type::OCI_CONFIG, config.as_bytes()),
            "layers": layers
                .iter()
                .map(|l| named("application/vnd.oci.image.layer.v1.tar+gzip", &l.blob))
                .collect::<Vec<_>>(),
        })
        .to_string();
        self.document(
            tag,
            image_document::media_type::OCI_MANIFEST,
            manifest.as_bytes(),
        )
    }

    /// Adds whatever bytes as a document of the index.
    pub(crate) fn document(&mut self, tag: &str, media_type: &str, bytes: &[u8]) -> Digest {
        let digest = self.blob(bytes);
        self.index.push(json!({
            "mediaType": media_type,
            "digest": digest,
            "size": bytes.len(),
            "annotations": { "org.opencontainers.image.ref.name": tag },
        }));
        let index = json!({"schemaVersion": 2, "manifests": self.index});
        fs::write(self.path.join("index.json"), index.to_string()).unwrap();
        digest
    }

    pub(crate) fn source(&self, tag: &str) -> ImageSource {
        ImageSource::Layout {
            path: self.path.clone(),
            tag: Some(tag.to_owned()),
        }
    }
}

/// A small file system of its own, gone with its value.
pub(crate) struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    pub(crate) fn new(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(mounted.success());
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        drop(
            Command::new("umount")
                .arg("--lazy")
                .arg(self.0.path())
                .status(),
        );
    }
}
