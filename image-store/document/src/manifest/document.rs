//! The two kinds of documents that describe images (image-spec: manifest.md, image-index.md, and
//! Docker's version 2 schema 2).

use std::collections::BTreeMap;

use image_layer::{ContentError, Wanted};
use image_name::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::platform::Platform;
use crate::error::DocumentError;
use crate::go_json;
use crate::media_type;

/// Layers that overlayfs stacks, without the one of fairing's own that lies below them.
const MAX_LAYERS: usize = 499;

/// A manifest or an index, never both.
#[derive(Debug)]
pub enum Document {
    /// Names one manifest for each platform.
    Index(Index),
    /// Names the configuration and the layers of one image.
    Manifest(Manifest),
}

/// Names one manifest for each platform.
#[derive(Debug)]
pub struct Index {
    /// The manifests, and indexes, that it names.
    pub members: Vec<Descriptor>,
    /// What it is about, if it is an artifact that refers to another document.
    pub subject: Option<Digest>,
}

/// Names the configuration and the layers of one image.
#[derive(Debug)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// What it is about, if it is an artifact that refers to another document; few are.
    pub subject: Option<Box<Digest>>,
    /// What kind of artifact it is; images have none.
    pub artifact_type: Option<String>,
}

/// Names a blob by its digest.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// What the blob is, as far as the document tells.
    pub media_type: String,
    /// The digest of the blob.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What an image behind it runs on.
    pub platform: Option<Platform>,
    /// What else is said of it.
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact is behind it.
    pub artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct RawDocument {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<u64>,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    subject: Option<RawDescriptor>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
    annotations: Option<BTreeMap<String, String>>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct RawPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

impl RawDescriptor {
    fn check(self) -> Result<Descriptor, DocumentError> {
        Ok(Descriptor {
            digest: Digest::parse(&self.digest)?,
            media_type: self.media_type,
            size: self.size,
            platform: self
                .platform
                .map(|p| Platform::new(&p.os, &p.architecture, p.variant.as_deref())),
            annotations: self.annotations.unwrap_or_default(),
            artifact_type: self.artifact_type,
        })
    }
}

impl Document {
    /// Parses a document; `told` is the media type that its origin told, or empty.
    ///
    /// # Errors
    /// [`DocumentError::NotJson`] or [`DocumentError::BadManifest`]. A document that could be read as a
    /// manifest and as an index is refused, and so is one whose media type says otherwise than its
    /// members do: two readers would run two different images (CVE-2021-41190).
    pub fn parse(what: &str, bytes: &[u8], told: &str) -> Result<Self, DocumentError> {
        let bad = |reason: String| DocumentError::BadManifest {
            what: what.to_owned(),
            reason,
        };
        let raw: RawDocument = parse_json(what, bytes)?;
        let own = raw.media_type.as_deref().filter(|own| !own.is_empty());
        if raw.schema_version == Some(1) || raw.fs_layers.is_some() {
            return Err(bad(
                "the manifest is of Docker schema 1, which is not supported".into(),
            ));
        }
        if raw.schema_version != Some(2) {
            return Err(bad("schemaVersion must be 2".into()));
        }
        if let Some(own) = own
            && media_type::MANIFESTS.contains(&told)
            && own != told
        {
            return Err(bad(format!(
                "it was served as {told} but says that it is {own:?}"
            )));
        }
        let one_of = |first: &str, second: &str| match own {
            Some(own) if own != first && own != second => {
                Err(bad(format!("mediaType {own:?} does not fit its members")))
            }
            _ => Ok(()),
        };
        let subject = raw.subject.map(RawDescriptor::check).transpose()?;
        let subject = subject.map(|subject| subject.digest);
        match (raw.config, raw.layers, raw.manifests) {
            (None, None, Some(manifests)) => {
                one_of(media_type::OCI_INDEX, media_type::DOCKER_LIST)?;
                let members = manifests
                    .into_iter()
                    .map(RawDescriptor::check)
                    .collect::<Result<_, _>>()?;
                Ok(Self::Index(Index { members, subject }))
            }
            (Some(config), Some(layers), None) => {
                one_of(media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST)?;
                if layers.len() > MAX_LAYERS {
                    return Err(DocumentError::Content(ContentError::LimitExceeded {
                        what: format!("{what}: number of layers ({})", layers.len()),
                        limit: MAX_LAYERS.to_string(),
                    }));
                }
                Ok(Self::Manifest(Manifest {
                    config: config.check()?,
                    layers: layers
                        .into_iter()
                        .map(RawDescriptor::check)
                        .collect::<Result<_, _>>()?,
                    subject: subject.map(Box::new),
                    artifact_type: raw.artifact_type,
                }))
            }
            (_, _, Some(_)) => Err(bad(
                "it has the members of an index and of a manifest".into()
            )),
            _ => Err(bad("it is neither an image manifest nor an index".into())),
        }
    }
}

impl Index {
    /// The member to run on `platform`.
    ///
    /// # Errors
    /// [`DocumentError::NoPlatform`] with what there is.
    pub fn pick(&self, what: &str, platform: &Platform) -> Result<&Descriptor, DocumentError> {
        let mut best: Option<(&Descriptor, u32)> = None;
        for member in self.members.iter().filter(|m| m.leads_to_image()) {
            let rank = match &member.platform {
                Some(offered) => platform.rank(offered),
                // Allowed by OCI; the configuration is checked later.
                None => Some(0),
            };
            // The first of equals wins, as the specification asks for.
            if let Some(rank) = rank
                && best.is_none_or(|(_, top)| rank > top)
            {
                best = Some((member, rank));
            }
        }
        best.map(|(member, _)| member)
            .ok_or_else(|| DocumentError::NoPlatform {
                what: what.to_owned(),
                platform: platform.to_string(),
                available: self
                    .members
                    .iter()
                    .filter_map(|m| m.platform.as_ref())
                    .map(Platform::to_string)
                    .filter(|p| !p.starts_with("unknown/"))
                    .take(32)
                    .collect(),
            })
    }
}

impl Manifest {
    /// Checks that this is a container image and not another kind of artifact.
    ///
    /// # Errors
    /// [`DocumentError::BadManifest`].
    pub fn check_image(&self, what: &str) -> Result<(), DocumentError> {
        let bad = |reason: String| DocumentError::BadManifest {
            what: what.to_owned(),
            reason,
        };
        if !CONFIGS.contains(&self.config.media_type.as_str()) {
            let found = &self.config.media_type;
            return Err(bad(format!(
                "it is not a container image: its config is of type {found:?}"
            )));
        }
        if self.layers.is_empty() {
            return Err(bad("it has no layers".into()));
        }
        let other = |layer: &&Descriptor| !is_layer(&layer.media_type);
        match self.layers.iter().find(other) {
            Some(layer) if layer.media_type.starts_with(DOCKER_FOREIGN) => Err(bad(format!(
                "layer {} is a foreign one ({:?}): its content is not in registries, and the \
                 addresses that an image names are not asked",
                layer.digest, layer.media_type
            ))),
            Some(layer) => Err(bad(format!(
                "layer {} is of unknown type {:?}",
                layer.digest, layer.media_type
            ))),
            None => Ok(()),
        }
    }
}

impl Descriptor {
    /// What of it proves a blob.
    #[must_use]
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            digest: &self.digest,
            size: self.size,
        }
    }

    /// Parses one entry of a list that somebody else wrote; `None` if it is no descriptor.
    #[must_use]
    pub fn parse(value: &serde_json::Value) -> Option<Self> {
        go_json::from_value::<RawDescriptor>(value)
            .ok()?
            .check()
            .ok()
    }

    /// Whether an image can be behind it: a manifest, or an index of some.
    fn leads_to_image(&self) -> bool {
        // Build attestations are told apart by annotation or by the platform unknown/unknown.
        !self.annotations.contains_key("vnd.docker.reference.type")
            && media_type::MANIFESTS.contains(&self.media_type.as_str())
    }
}

/// Docker's layers (of Windows) that lie elsewhere.
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

/// What configurations of images are called. The last ones say nothing, and are what tools of Docker's early
/// days wrote; whether it is one, its content tells.
const CONFIGS: [&str; 6] = [
    media_type::OCI_CONFIG,
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "text/html",
    "text/plain",
    "",
];

/// Whether the type is one of a tar layer. How it is compressed is seen from its first bytes,
/// because registries are full of layers whose type tells it wrongly.
fn is_layer(media_type: &str) -> bool {
    const KINDS: [&str; 3] = [
        "application/vnd.oci.image.layer.v1.tar",
        // A mark for those who copy images; the content is where that of other layers is.
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
    ];
    KINDS.iter().any(|kind| {
        media_type
            .strip_prefix(kind)
            .is_some_and(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
    })
}

/// Parses JSON and tells syntax errors from missing or wrong members.
pub(super) fn parse_json<T: DeserializeOwned>(
    what: &str,
    bytes: &[u8],
) -> Result<T, DocumentError> {
    go_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => DocumentError::BadManifest {
            what: what.to_owned(),
            reason: error.to_string(),
        },
        _ => DocumentError::NotJson {
            what: what.to_owned(),
            reason: error.to_string(),
        },
    })
}
