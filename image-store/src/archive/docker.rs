//! The archive of `docker save`: a configuration and plain or compressed layer tars.
//!
//! It has no manifest and no digests of its own, so an OCI manifest is made of what is there: each
//! file is hashed once where it lies. The same archive always gives the same manifest.

use std::collections::BTreeMap;
use std::io::Read;

use image_document::{DocumentError, RawManifest, go_json, media_type};
use image_layer::{ContentError, Hasher, sha256};
use image_name::{Digest, Reference};
use serde::{Deserialize, Serialize};

use super::tar_index::{Section, TarIndex};
use crate::contents::Contents;
use crate::error::StoreError;
use crate::layout::files::LayoutFiles;
use crate::origin::Origin;

/// Bytes of `manifest.json` and of the configuration.
const MAX_DOCUMENT: u64 = 4 << 20;

/// overlayfs takes no more lower directories than some hundred, and docker makes at most 127 layers.
const MAX_LAYERS: usize = 500;

/// One image of a docker archive.
pub(crate) struct DockerArchive {
    what: String,
    manifest: RawManifest,
    blobs: BTreeMap<String, Section>,
    name: Option<Reference>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Manifest {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    #[serde(rename = "mediaType")]
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: Digest,
    size: u64,
}

impl DockerArchive {
    /// Reads `manifest.json`, chooses the image and hashes what belongs to it.
    pub(super) fn new(index: TarIndex, tag: Option<&str>) -> Result<Self, StoreError> {
        let what = index.what().to_owned();
        let items = items(&index)?;
        let item = choose(&what, &items, tag)?;
        let wanted = tag.and_then(|tag| Reference::parse(tag).ok());
        let name = wanted.or_else(|| {
            item.tags
                .iter()
                .flatten()
                .find_map(|tag| Reference::parse(tag).ok())
        });

        let config = index.read(&item.config, MAX_DOCUMENT)?.ok_or_else(|| {
            broken(
                &what,
                format!("its configuration {:?} is missing", item.config),
            )
        })?;
        let mut blobs = BTreeMap::new();
        let config_digest = sha256(&config);
        if let Some(section) = index.section(&item.config)? {
            blobs.insert(config_digest.to_string(), section);
        }
        let names = item.layers.as_deref().unwrap_or_default();
        if names.len() > MAX_LAYERS {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what,
                limit: format!("{MAX_LAYERS} layers"),
            }));
        }
        // An image may name one file for several of its layers; each file is hashed once.
        let mut hashed: BTreeMap<&str, (Digest, u64, String)> = BTreeMap::new();
        let mut layers = Vec::new();
        for name in names {
            let known = match hashed.get(name.as_str()) {
                Some(known) => known.clone(),
                None => {
                    let section = index
                        .section(name)?
                        .ok_or_else(|| broken(&what, format!("its layer {name:?} is missing")))?;
                    let (digest, media_type) = hash_layer(&what, section.clone())?;
                    let known = (digest, section.len(), media_type);
                    blobs.insert(known.0.to_string(), section);
                    hashed.insert(name, known.clone());
                    known
                }
            };
            let (digest, size, media_type) = known;
            layers.push(Descriptor {
                media_type,
                digest,
                size,
            });
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST,
            config: Descriptor {
                media_type: media_type::OCI_CONFIG.to_owned(),
                digest: config_digest,
                size: config.len() as u64,
            },
            layers,
        };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| {
            StoreError::Document(DocumentError::NotJson {
                what: format!("{what}: manifest"),
                reason: error.to_string(),
            })
        })?;
        let manifest = RawManifest {
            media_type: media_type::OCI_MANIFEST.to_owned(),
            digest: sha256(&bytes),
            bytes,
        };
        Ok(Self {
            what,
            manifest,
            blobs,
            name,
        })
    }
}

impl Origin for DockerArchive {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        Ok(self.manifest.clone())
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        if *digest == self.manifest.digest {
            return Ok(self.manifest.clone());
        }
        Err(broken(&self.what, format!("manifest {digest} is missing")))
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let section = self
            .blobs
            .get(digest.as_ref())
            .ok_or_else(|| broken(&self.what, format!("blob {digest} is missing")))?;
        if section.len() != size {
            return Err(StoreError::Content(ContentError::SizeMismatch {
                what: format!("{}: blob {digest}", self.what),
                expected: size,
                found: section.len(),
            }));
        }
        Ok(Box::new(section.clone()))
    }

    fn tagged(&mut self, _tag: &str) -> Result<Option<RawManifest>, StoreError> {
        Ok(None)
    }

    fn referrers(
        &mut self,
        _subject: &Digest,
        _kind: Option<&str>,
    ) -> Result<Vec<image_document::Descriptor>, StoreError> {
        Ok(Vec::new())
    }

    fn name(&self) -> Option<Reference> {
        self.name.clone()
    }
}

/// The images that the archive holds.
pub(super) fn contents(index: &TarIndex) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    for item in items(index)? {
        let tags = item.tags.unwrap_or_default();
        contents.unnamed += usize::from(tags.is_empty());
        contents.names.extend(tags);
    }
    Ok(contents)
}

fn items(index: &TarIndex) -> Result<Vec<Item>, StoreError> {
    let what = index.what();
    let bytes = index.read("manifest.json", MAX_DOCUMENT)?.ok_or_else(|| {
        refused(
            what,
            "it is not a docker archive: it has no manifest.json".to_owned(),
        )
    })?;
    go_json::from_slice(&bytes).map_err(|error| {
        StoreError::Document(DocumentError::NotJson {
            what: format!("{what}: manifest.json"),
            reason: error.to_string(),
        })
    })
}

fn choose<'a>(place: &str, items: &'a [Item], tag: Option<&str>) -> Result<&'a Item, StoreError> {
    if let Some(tag) = tag {
        let wanted = Reference::parse(tag).ok();
        let fits =
            |own: &String| own == tag || (wanted.is_some() && Reference::parse(own).ok() == wanted);
        return items
            .iter()
            .find(|item| item.tags.iter().flatten().any(fits))
            .ok_or_else(|| StoreError::UnknownImage {
                reference: tag.to_owned(),
                place: format!("in {place}"),
            });
    }
    match items {
        [] => Err(refused(place, "it holds no image".to_owned())),
        [item] => Ok(item),
        _ => {
            let tags = items.iter().flat_map(|item| item.tags.iter().flatten());
            Err(StoreError::SeveralImages {
                origin: place.to_owned(),
                names: tags.take(8).cloned().collect(),
            })
        }
    }
}

/// Hashes a layer where it lies and tells its compression by its first bytes.
fn hash_layer(what: &str, mut layer: Section) -> Result<(Digest, String), StoreError> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut suffix = None;
    loop {
        let count = layer
            .read(&mut buffer)
            .map_err(|error| StoreError::from_read(what, error))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        suffix.get_or_insert(match bytes {
            [0x1f, 0x8b, ..] => "+gzip",
            [0x28, 0xb5, 0x2f, 0xfd, ..] => "+zstd",
            _ => "",
        });
        hasher.update(bytes);
    }
    let media_type = format!("{}{}", media_type::OCI_LAYER, suffix.unwrap_or_default());
    Ok((hasher.finish(), media_type))
}

/// It lacks what it names.
fn broken(place: &str, reason: String) -> StoreError {
    StoreError::BrokenSource {
        origin: place.to_owned(),
        reason,
    }
}

/// It is something else.
fn refused(place: &str, reason: String) -> StoreError {
    StoreError::InvalidSource {
        origin: place.to_owned(),
        reason,
    }
}
