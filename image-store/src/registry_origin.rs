//! A registry as a place that has an image.

use std::io::Read;

use image_document::{Descriptor, RawManifest};
use image_name::Digest;
use image_registry::RegistryImage;

use crate::error::StoreError;
use crate::origin::Origin;

impl Origin for RegistryImage {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        Ok(Self::top(self)?)
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        Ok(Self::manifest(self, digest)?)
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        Ok(Self::blob(self, digest, size)?)
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        Ok(Self::tagged(self, tag)?)
    }

    fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        Ok(Self::referrers(self, subject, kind)?)
    }
}
