//! Where an image comes from: the one interface that registries, layouts and archives share.

use std::io::Read;
use std::path::PathBuf;

use image_name::{Digest, Reference};

use crate::convert::{ConvertedOrigin, ImageSettings};
use crate::cosign;
use crate::error::StoreError;
use crate::fetch::Interrupt;
pub(crate) use crate::limits::Limits;
use crate::manifest::{Descriptor, Platform};
use crate::registry::Registries;
use crate::source::ImageSource;
use crate::store::Store;
use crate::{archive, layout, registry};

/// How to fetch.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Which member of an index to take.
    pub platform: Platform,
    /// What is configured of registries.
    pub registries: Registries,
    /// What is too much.
    pub limits: Limits,
    /// The name under which the image goes into the store, instead of the one that the source has.
    pub name: Option<Reference>,
    /// Whether compressed layers stay in the store, so that an export or push is exact.
    pub keep_layers: bool,
    /// To stop the transfer of layers.
    pub interrupt: Interrupt,
    /// How to run what is in a root filesystem that becomes an image.
    pub settings: ImageSettings,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            platform: Platform::host(),
            registries: Registries::default(),
            limits: Limits::default(),
            name: None,
            keep_layers: true,
            interrupt: Interrupt::default(),
            settings: ImageSettings::default(),
        }
    }
}

/// A manifest or index as it was read, with the digest of what was read.
#[derive(Clone, Debug)]
pub struct RawManifest {
    /// Media type as the origin tells it; may be empty where it tells none.
    pub media_type: String,
    /// The document, byte for byte.
    pub bytes: Vec<u8>,
    /// SHA-256 computed over `bytes` by the reader, never taken from a header.
    pub digest: Digest,
}

/// A place that has one image (and its signatures).
///
/// Readers that [`Origin::blob`] hands out may carry a [`StoreError`] through [`std::io::Error`]
/// by `StoreError::into_io`; the caller gets it back as it was.
pub(crate) trait Origin: Send {
    /// The index or manifest that the source names; the caller checks it against a wanted digest.
    fn top(&mut self) -> Result<RawManifest, StoreError>;

    /// A member of the index.
    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError>;

    /// Whether a member of the index is there, as far as that can be told without reading it.
    fn has_manifest(&mut self, _digest: &Digest) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// The bytes of a blob, not verified: the caller hashes and caps.
    fn blob(&mut self, digest: &Digest, size: u64)
    -> Result<Box<dyn Read + Send + '_>, StoreError>;

    /// The document that another tag of the same place names, if there is one.
    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError>;

    /// What the place says refers to `subject`, `kind` alone where it can tell. Whether it does is
    /// for the caller to see in the documents. A bounded number, in the order of the place.
    fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError>;

    /// The manifest at cosign's tag `sha256-HEX.sig` of `subject`, if there is one.
    fn signature_manifest(&mut self, subject: &Digest) -> Result<Option<RawManifest>, StoreError> {
        self.tagged(&cosign::tag(subject, "sig")?)
    }

    /// The file that holds a blob and nothing else, where there is one. Not verified either.
    fn blob_file(&self, _digest: &Digest) -> Option<PathBuf> {
        None
    }

    /// The name that the source itself gives the image (a layout's annotation, an archive's
    /// repository tag); `None` where it gives none.
    fn name(&self) -> Option<Reference> {
        None
    }

    /// What was lost on the way into the form of an image, a line each.
    fn notes(&self) -> &[String] {
        &[]
    }
}

/// Opens the place that `source` names. What has to be converted is, in a folder of the store for
/// half-done things.
pub(crate) fn open(
    source: &ImageSource,
    options: &FetchOptions,
    store: &Store,
) -> Result<Box<dyn Origin>, StoreError> {
    Ok(match source {
        ImageSource::Registry(reference) => {
            Box::new(registry::RegistryOrigin::connect(reference, options)?)
        }
        ImageSource::Layout { path, tag } => {
            Box::new(layout::LayoutOrigin::open(path, tag.as_deref())?)
        }
        ImageSource::OciArchive { path, tag } => {
            Box::new(archive::ArchiveOrigin::open_oci(path, tag.as_deref())?)
        }
        ImageSource::DockerArchive { path, reference } => Box::new(
            archive::ArchiveOrigin::open_docker(path, reference.as_deref())?,
        ),
        ImageSource::Aci { path } => Box::new(ConvertedOrigin::aci(path, options, store)?),
        ImageSource::Root { path } => Box::new(ConvertedOrigin::root(path, options, store)?),
    })
}
