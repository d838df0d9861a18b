//! An image that was made of something else, as a place that has it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image_document::media_type::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST};
use image_document::{Descriptor, DocumentError, RawManifest};
use image_layer::sha256;
use image_name::{Digest, Reference};
use serde_json::{Value, json};

use super::layer_file::LayerFile;
use super::{aci, aci_manifest, folder, root_tar};
use crate::error::StoreError;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::store::{Staging, Store};

/// A converted image.
pub(crate) struct ConvertedOrigin {
    what: String,
    manifest: RawManifest,
    config: Vec<u8>,
    layer: LayerFile,
    name: Option<Reference>,
    notes: Vec<String>,
    /// Where the layer is, if it had to be made.
    _staging: Option<Staging>,
}

impl ConvertedOrigin {
    /// Converts an appc image.
    ///
    /// # Errors
    /// [`StoreError::InvalidSource`], [`DocumentError::BadManifest`], [`DocumentError::NotJson`] or
    /// [`ContentError::UnsafeEntry`](image_layer::ContentError::UnsafeEntry) for what is no appc image or can't be an OCI image.
    pub(crate) fn aci(
        path: &Path,
        options: &FetchOptions,
        store: &Store,
    ) -> Result<Self, StoreError> {
        let staging = store.stage()?;
        let file = staging.path().join("layer.tar");
        let what = path.display().to_string();
        let (manifest, layer) = aci::convert(path, &file, &options.limits)?;
        let image = aci_manifest::parse(&what, &manifest)?;
        let name = image.reference();
        if name.is_none() && options.name.is_none() {
            return Err(StoreError::UnfitName {
                origin: what,
                name: image.name().to_owned(),
            });
        }
        let owner = |path: &str| aci::owner_of(&file, path, &options.limits);
        let (config, notes) = image.config(&what, &owner)?;
        let mut converted = Self::new(what, config, layer, Some(staging))?;
        (converted.name, converted.notes) = (name, notes);
        Ok(converted)
    }

    /// Makes an image of a root filesystem: a directory, or a tar file.
    ///
    /// # Errors
    /// [`StoreError::InvalidSource`] for what can't be in a layer, [`ContentError::Io`](image_layer::ContentError::Io).
    pub(crate) fn root(
        path: &Path,
        options: &FetchOptions,
        store: &Store,
    ) -> Result<Self, StoreError> {
        let what = path.display().to_string();
        let settings = &options.settings;
        let is_folder = path
            .metadata()
            .map_err(|error| StoreError::io("cannot open", path, error))?
            .is_dir();
        let (layer, staging, notes) = if is_folder {
            let staging = store.stage()?;
            let file = staging.path().join("layer.tar");
            let (layer, notes) = folder::pack(path, &file, &options.limits)?;
            (layer, Some(staging), notes)
        } else {
            let (layer, staging) = root_tar::layer(path, store, &options.limits)?;
            (layer, staging, Vec::new())
        };
        let config = settings.config(&options.platform);
        let mut converted = Self::new(what, config, layer, staging)?;
        converted.notes = notes;
        Ok(converted)
    }

    fn new(
        what: String,
        mut config: Value,
        layer: LayerFile,
        staging: Option<Staging>,
    ) -> Result<Self, StoreError> {
        if let Some(config) = config.as_object_mut() {
            let diff_ids = json!({ "type": "layers", "diff_ids": [layer.diff_id] });
            config.insert("rootfs".to_owned(), diff_ids);
        }
        let to_bytes = |value: &Value| {
            serde_json::to_vec(value).map_err(|error| {
                StoreError::Document(DocumentError::NotJson {
                    what: what.clone(),
                    reason: error.to_string(),
                })
            })
        };
        let config = to_bytes(&config)?;
        let bytes = to_bytes(&json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": { "mediaType": OCI_CONFIG, "digest": sha256(&config), "size": config.len() },
            "layers": [{
                "mediaType": format!("{OCI_LAYER}{}", layer.suffix),
                "digest": layer.digest,
                "size": layer.size,
            }],
        }))?;
        Ok(Self {
            what,
            manifest: RawManifest {
                media_type: OCI_MANIFEST.to_owned(),
                digest: sha256(&bytes),
                bytes,
            },
            config,
            layer,
            name: None,
            notes: Vec::new(),
            _staging: staging,
        })
    }

    fn missing(&self, digest: &Digest) -> StoreError {
        StoreError::BrokenSource {
            origin: self.what.clone(),
            reason: format!("{digest} is not part of it"),
        }
    }
}

impl Origin for ConvertedOrigin {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        Ok(self.manifest.clone())
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        match *digest == self.manifest.digest {
            true => Ok(self.manifest.clone()),
            false => Err(self.missing(digest)),
        }
    }

    fn blob(&mut self, digest: &Digest, _: u64) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        if *digest == self.layer.digest {
            let path = &self.layer.path;
            let file = File::open(path).map_err(|e| StoreError::io("cannot open", path, e))?;
            return Ok(Box::new(file));
        }
        if *digest == sha256(&self.config) {
            return Ok(Box::new(self.config.as_slice()));
        }
        Err(self.missing(digest))
    }

    fn tagged(&mut self, _tag: &str) -> Result<Option<RawManifest>, StoreError> {
        Ok(None)
    }

    fn referrers(
        &mut self,
        _subject: &Digest,
        _kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        Ok(Vec::new())
    }

    fn name(&self) -> Option<Reference> {
        self.name.clone()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
