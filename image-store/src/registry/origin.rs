//! An image of a registry, as a place that has it.

use std::io::Read;

use image_document::{Descriptor, RawManifest};
use image_layer::ContentError;
use image_name::{DEFAULT_TAG, Digest, Reference};

use super::answer::header;
use super::blob::{self, BlobReader};
use super::client::Method;
use super::manifests::{CONTENT_DIGEST, ask_manifest, get_manifest};
use super::mirrors::{Mirrors, Missing};
use super::referrers;
use crate::error::StoreError;
use crate::options::FetchOptions;
use crate::origin::Origin;

/// An image of a registry.
pub(crate) struct RegistryOrigin {
    pub(super) places: Mirrors,
    reference: Reference,
    max_manifest: u64,
}

impl RegistryOrigin {
    /// Prepares to read `reference`. The network is not touched before something is asked for.
    pub(crate) fn connect(
        reference: &Reference,
        options: &FetchOptions,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            places: Mirrors::of(reference, options)?,
            reference: reference.clone(),
            max_manifest: options.limits.manifest,
        })
    }

    fn unknown(&self, reference: String) -> StoreError {
        let place = format!("at registry {}", self.reference.registry());
        StoreError::UnknownImage { reference, place }
    }
}

impl Origin for RegistryOrigin {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        if let Some(digest) = self.reference.digest().cloned() {
            return self.manifest(&digest);
        }
        let tag = self.reference.tag().unwrap_or(DEFAULT_TAG).to_owned();
        let limit = self.max_manifest;
        let found = self.places.first(Missing::Weak, |client| {
            let tag = client.tag_for(&tag).to_owned();
            get_manifest(client, &tag, limit)
        })?;
        found.ok_or_else(|| self.unknown(self.reference.to_string()))
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        let (limit, repository) = (self.max_manifest, self.reference.repository());
        let found = self.places.first(Missing::Weak, |client| {
            let found = get_manifest(client, digest.as_ref(), limit)?;
            match found {
                Some(found) if found.digest != *digest => {
                    Err(StoreError::Content(ContentError::DigestMismatch {
                        what: format!("manifest of {repository}"),
                        expected: digest.to_string(),
                        found: found.digest.to_string(),
                    }))
                }
                found => Ok(found),
            }
        })?;
        found.ok_or_else(|| self.unknown(self.reference.at_digest(digest).to_string()))
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let body = self.places.first(Missing::Weak, |client| {
            blob::open(client, digest, size).map(Some)
        })?;
        // `open` has no answer that is none.
        let body = body.ok_or_else(|| self.unknown(self.reference.to_string()))?;
        let client = self.places.answered();
        Ok(Box::new(BlobReader::new(client, digest, size, body)))
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        let limit = self.max_manifest;
        self.places
            .first(Missing::Strong, |client| get_manifest(client, tag, limit))
    }

    fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let limit = self.max_manifest;
        let listed = self.places.first(Missing::Strong, |client| {
            referrers::listed(client, subject, kind, limit)
        })?;
        Ok(listed.unwrap_or_default())
    }
}

/// Asks a registry which digest a reference has now, without reading the manifest (HEAD). `None`
/// if the registry doesn't tell. What it says is a hint: nothing was hashed.
///
/// # Errors
/// As for a fetch; [`StoreError::UnknownImage`] if there is no such image.
pub fn resolve(
    reference: &Reference,
    options: &FetchOptions,
) -> Result<Option<Digest>, StoreError> {
    if let Some(digest) = reference.digest() {
        return Ok(Some(digest.clone()));
    }
    let mut origin = RegistryOrigin::connect(reference, options)?;
    let tag = reference.tag().unwrap_or(DEFAULT_TAG);
    let found = origin.places.first(Missing::Weak, |client| {
        let ask = ask_manifest(client, Method::Head, client.tag_for(tag))?;
        let response = client.send(&ask)?;
        let told = header(&response, CONTENT_DIGEST);
        match response.status().as_u16() {
            200 => Ok(Some(told.and_then(|digest| Digest::parse(digest).ok()))),
            404 => Ok(None),
            _ => Err(client.failure(&ask.action, response)),
        }
    })?;
    found.ok_or_else(|| origin.unknown(reference.to_string()))
}
