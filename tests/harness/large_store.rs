//! An image store with very many images, made of nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::artifact::digest_of;

/// Writes images straight into a store, in the form in which a fetch leaves them. Their layers hold one
/// small file each; every image has two of its own and shares one with many.
pub struct LargeStore {
    images: PathBuf,
}

/// A layer: diff ID, digest and size of the blob.
type Layer = (String, String, usize);

impl LargeStore {
    /// Fills the store below a data directory with so many names, which stand for so many images.
    ///
    /// # Panics
    /// If something can't be written.
    pub fn fill(data: &Path, names: usize, images: usize) {
        let store = Self {
            images: data.join("images"),
        };
        for folder in ["blobs/sha256", "layers", "refs", "signatures", "tmp"] {
            fs::create_dir_all(store.images.join(folder)).unwrap();
        }
        let bases: Vec<Layer> = (0..20).map(|n| store.layer(&format!("base {n}"))).collect();
        let tops: Vec<(String, String)> = (0..images)
            .map(|n| store.image(n, &bases[n % bases.len()]))
            .collect();
        for n in 0..names {
            let (digest, manifest) = &tops[n % images];
            let name = format!(
                "registry.example.com/team/app{}:v{}",
                n % images,
                n / images
            );
            let record = json!({
                "version": 1, "reference": name, "digest": digest, "manifest": manifest,
                "fetched_at": 1_700_000_000, "source": format!("docker://{name}"),
            });
            let path = store.images.join("refs").join(name.replace('/', "%2F"));
            fs::write(path, record.to_string()).unwrap();
        }
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let path = self.images.join("blobs/sha256").join(&digest[7..]);
        fs::write(path, bytes).unwrap();
        digest
    }

    fn layer(&self, content: &str) -> Layer {
        let diff_id = digest_of(format!("tree of {content}").as_bytes());
        let folder = self.images.join("layers").join(&diff_id[7..]);
        fs::create_dir_all(folder.join("fs")).unwrap();
        fs::write(folder.join("fs/file"), content).unwrap();
        let facts = json!({"version": 1, "size": content.len(), "entries": 1});
        fs::write(folder.join("layer.json"), facts.to_string()).unwrap();
        (diff_id, self.blob(content.as_bytes()), content.len())
    }

    /// Gives the digests of its index and its manifest.
    fn image(&self, number: usize, base: &Layer) -> (String, String) {
        let own = ["a", "b"].map(|part| self.layer(&format!("{part} of {number}")));
        let layers = [base, &own[0], &own[1]];
        let history: Vec<_> = (0..6)
            .map(|step| json!({"created": "2024-01-01T00:00:00Z",
                               "created_by": format!("RUN step {step} of a build, with its arguments")}))
            .collect();
        let config = json!({
            "created": "2024-01-01T00:00:00Z", "architecture": "amd64", "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": layers.map(|layer| &layer.0)},
            "history": history,
        })
        .to_string();
        let media = |kind: &str| format!("application/vnd.oci.image.{kind}");
        let layers = layers.map(|(_, digest, size)| {
            json!({"mediaType": media("layer.v1.tar"), "digest": digest, "size": size})
        });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media("manifest.v1+json"),
            "config": {"mediaType": media("config.v1+json"),
                       "digest": self.blob(config.as_bytes()), "size": config.len()},
            "layers": layers,
        })
        .to_string();
        let digest = self.blob(manifest.as_bytes());
        let index = json!({
            "schemaVersion": 2, "mediaType": media("index.v1+json"),
            "manifests": [{"mediaType": media("manifest.v1+json"), "digest": digest,
                           "size": manifest.len(),
                           "platform": {"architecture": "amd64", "os": "linux"}}],
        })
        .to_string();
        (self.blob(index.as_bytes()), digest)
    }
}
