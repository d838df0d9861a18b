//! The store as a place that an image is copied from.

use std::io::Read;
use std::path::PathBuf;

use image_document::media_type::{self, BUNDLE, OCI_MANIFEST};
use image_document::{Descriptor, RawManifest, cosign};
use image_layer::{Limits, open_regular};
use image_name::{Digest, Reference};

use crate::error::StoreError;
use crate::origin::Origin;
use crate::store::Store;

/// One image of the store.
pub(super) struct StoreOrigin {
    pub(super) store: Store,
    pub(super) top: Digest,
    pub(super) name: Reference,
}

impl StoreOrigin {
    fn document(&self, what: &str, digest: &Digest) -> Result<RawManifest, StoreError> {
        let bytes = self
            .store
            .read_blob(what, digest, Limits::default().manifest)?;
        Ok(RawManifest {
            media_type: media_type::of_manifest(&bytes, ""),
            digest: digest.clone(),
            bytes,
        })
    }
}

impl Origin for StoreOrigin {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        self.document("manifest", &self.top)
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        self.document("manifest", digest)
    }

    fn has_manifest(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        self.store.has_blob(digest)
    }

    fn blob(&mut self, digest: &Digest, _: u64) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let path = self.store.blob_path(digest);
        match open_regular(&path)? {
            Some((file, _)) => Ok(Box::new(file)),
            None => Err(StoreError::Missing {
                what: "configuration or compressed layer".to_owned(),
                digest: digest.clone(),
            }),
        }
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        let Some(subject) = cosign::signed_by_tag(tag) else {
            return Ok(None);
        };
        let record = self.store.signature_record(&subject)?;
        let simple = record.and_then(|record| record.simple);
        simple
            .map(|digest| self.document("signature manifest", &digest))
            .transpose()
    }

    fn referrers(
        &mut self,
        subject: &Digest,
        _kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let Some(record) = self.store.signature_record(subject)? else {
            return Ok(Vec::new());
        };
        let entries = record.bundles.into_iter().map(|one| Descriptor {
            media_type: OCI_MANIFEST.to_owned(),
            digest: one.manifest,
            size: 0,
            platform: None,
            annotations: std::collections::BTreeMap::new(),
            artifact_type: Some(BUNDLE.to_owned()),
        });
        Ok(entries.collect())
    }

    fn blob_file(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.store.blob_path(digest))
    }

    fn name(&self) -> Option<Reference> {
        Some(self.name.clone())
    }
}
