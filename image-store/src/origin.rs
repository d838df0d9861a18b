//! Where an image comes from: the one interface that registries, layouts and archives share.

use std::io::Read;
use std::path::PathBuf;

use image_document::{Descriptor, RawManifest, cosign};
use image_name::{Digest, Reference};

use crate::error::StoreError;

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
        self.tagged(&cosign::tag(subject, "sig"))
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
