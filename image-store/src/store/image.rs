//! An image as the store holds it, proven by digest from its name down to its layers.

use std::path::Path;

use image_document::{Healthcheck, Manifest, Platform, RawManifest, healthcheck, parse_config};
use image_layer::{Layer, Limits, sha256};
use image_name::Digest;
use oci_spec::image::ImageConfiguration;

use super::Store;
use crate::error::StoreError;
use crate::walk;

/// An image whose index, manifest and configuration were hashed as they were read.
#[derive(Clone, Debug)]
pub struct Image {
    chain: Vec<Digest>,
    manifest_digest: Digest,
    config_digest: Digest,
    config: ImageConfiguration,
    healthcheck: Option<Healthcheck>,
    layers: Vec<Layer>,
    size: u64,
}

impl Image {
    /// The digests that name it: of the index, if there is one, and of the manifest.
    #[must_use]
    pub fn chain(&self) -> &[Digest] {
        &self.chain
    }

    /// Digest of the platform's manifest.
    #[must_use]
    pub fn manifest_digest(&self) -> &Digest {
        &self.manifest_digest
    }

    /// Digest of the configuration: what Docker calls the image ID.
    #[must_use]
    pub fn config_digest(&self) -> &Digest {
        &self.config_digest
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ImageConfiguration {
        &self.config
    }

    /// How it says that its program is well, if it does.
    #[must_use]
    pub fn healthcheck(&self) -> Option<&Healthcheck> {
        self.healthcheck.as_ref()
    }

    /// The layers to stack, base first. Those that a layer above hides as a whole are left out, and of
    /// equal ones all but the topmost.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes to transfer: configuration and compressed layers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The documents of an image, before anything is said of its layers.
pub(super) struct Documents {
    pub(super) chain: Vec<Digest>,
    pub(super) manifest: Manifest,
}

/// What OCI calls the chain ID of these layers, base first; `None` if there are none.
pub(crate) fn chain_id(layers: &[Layer]) -> Option<Digest> {
    let mut ids = layers.iter().map(|layer| &layer.diff_id);
    let first = ids.next()?.clone();
    Some(ids.fold(first, |below, id| {
        sha256(format!("{below} {id}").as_bytes())
    }))
}

impl Store {
    /// Reads an image from the store: index and manifest are hashed and parsed again, the
    /// configuration too, and every layer has to be there. Nothing is written, no directory is read.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] for what is not as it was fetched,
    /// [`NoPlatform`](image_document::DocumentError::NoPlatform) for an index without `platform`.
    pub fn image(&self, top: &Digest, platform: &Platform) -> Result<Image, StoreError> {
        let Documents { chain, manifest } = self.documents(top, platform)?;
        let limits = Limits::default();
        let config_digest = manifest.config.digest.clone();
        let bytes = self.read_blob("configuration", &config_digest, limits.config)?;
        let what = format!("configuration {config_digest}");
        let (config, diff_ids) = parse_config(&what, &bytes, &manifest, platform)?;
        let healthcheck = healthcheck(&what, &bytes)?;
        let layers = self.stacked(diff_ids)?;
        let size = manifest
            .layers
            .iter()
            .fold(manifest.config.size, |sum, layer| {
                sum.saturating_add(layer.size)
            });
        let manifest_digest = chain.last().unwrap_or(top).clone();
        Ok(Image {
            chain,
            manifest_digest,
            config_digest,
            config,
            healthcheck,
            layers,
            size,
        })
    }

    /// The layers to stack, of those that an image has, base first: see [`Image::layers`].
    pub(super) fn stacked(&self, diff_ids: Vec<Digest>) -> Result<Vec<Layer>, StoreError> {
        let mut layers = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            let folder = self.layer_folder(&diff_id);
            let path = folder.join("fs");
            if !exists(&path)? {
                return Err(StoreError::Missing {
                    what: "layer".to_owned(),
                    digest: diff_id,
                });
            }
            if exists(&folder.join("opaque"))? {
                layers.clear();
            }
            // overlayfs takes no directory twice; only the topmost of equal layers shows anything.
            layers.retain(|below: &Layer| below.diff_id != diff_id);
            layers.push(Layer { diff_id, path });
        }
        Ok(layers)
    }

    /// Reads and proves a manifest for `platform`.
    pub(crate) fn parsed_manifest(
        &self,
        digest: &Digest,
        platform: &Platform,
    ) -> Result<Manifest, StoreError> {
        Ok(self.documents(digest, platform)?.manifest)
    }

    /// Reads and proves the index, if `top` is one, and the manifest for `platform`.
    pub(super) fn documents(
        &self,
        top: &Digest,
        platform: &Platform,
    ) -> Result<Documents, StoreError> {
        let limit = Limits::default().manifest;
        // Its digest is checked as it is read.
        let read = |digest: &Digest| {
            Ok(RawManifest {
                media_type: String::new(),
                bytes: self.read_blob("manifest", digest, limit)?,
                digest: digest.clone(),
            })
        };
        let name = |kind: &str, digest: &Digest| format!("{kind} {digest}");
        let chain = walk::chain(read(top)?, platform, &name, &mut |member| {
            read(&member.digest)
        })?;
        Ok(Documents {
            chain: chain.digests(),
            manifest: chain.manifest,
        })
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists()
        .map_err(|error| StoreError::io("cannot look for", path, error))
}
