//! An image of a registry, as a place that has it.

use std::io::Read;

use image_document::{Descriptor, RawManifest};
use image_layer::{ContentError, Limits};
use image_name::{DEFAULT_TAG, Digest, Reference};

use super::answer::header;
use super::blob::{self, BlobReader};
use super::client::Method;
use super::config::Registries;
use super::manifests::{CONTENT_DIGEST, ask_manifest, get_manifest};
use super::mirrors::{Mirrors, Missing};
use super::referrers;
use crate::error::RegistryError;

/// An image of a registry.
pub struct RegistryImage {
    pub(super) places: Mirrors,
    reference: Reference,
    max_manifest: u64,
}

impl RegistryImage {
    /// Prepares to read `reference`. The network is not touched before something is asked for.
    ///
    /// # Errors
    /// If the configuration says that nothing is read from there, or names places that are none.
    pub fn connect(
        reference: &Reference,
        registries: &Registries,
        limits: &Limits,
    ) -> Result<Self, RegistryError> {
        Ok(Self {
            places: Mirrors::of(reference, registries)?,
            reference: reference.clone(),
            max_manifest: limits.manifest,
        })
    }

    fn unknown(&self, reference: String) -> RegistryError {
        let place = format!("at registry {}", self.reference.registry());
        RegistryError::UnknownImage { reference, place }
    }

    /// The index or manifest that the reference names.
    ///
    /// # Errors
    /// [`RegistryError::UnknownImage`]; what the registry answers.
    pub fn top(&mut self) -> Result<RawManifest, RegistryError> {
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

    /// A member of the index.
    ///
    /// # Errors
    /// As [`RegistryImage::top`].
    pub fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, RegistryError> {
        let (limit, repository) = (self.max_manifest, self.reference.repository());
        let found = self.places.first(Missing::Weak, |client| {
            let found = get_manifest(client, digest.as_ref(), limit)?;
            match found {
                Some(found) if found.digest != *digest => {
                    Err(RegistryError::Content(ContentError::DigestMismatch {
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

    /// The bytes of a blob, not verified. Where the reader fails, a [`RegistryError`] may be in its error, as
    /// [`ContentError::Source`].
    ///
    /// # Errors
    /// What the registry answers.
    pub fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, RegistryError> {
        let body = self.places.first(Missing::Weak, |client| {
            blob::open(client, digest, size).map(Some)
        })?;
        // `open` has no answer that is none.
        let body = body.ok_or_else(|| self.unknown(self.reference.to_string()))?;
        let client = self.places.answered();
        Ok(Box::new(BlobReader::new(client, digest, size, body)))
    }

    /// The document that another tag of the same repository names, if there is one.
    ///
    /// # Errors
    /// What the registry answers.
    pub fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, RegistryError> {
        let limit = self.max_manifest;
        self.places
            .first(Missing::Strong, |client| get_manifest(client, tag, limit))
    }

    /// What the registry says refers to `subject`, `kind` alone where it can tell. A bounded number, in its
    /// order.
    ///
    /// # Errors
    /// What the registry answers.
    pub fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
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
/// As for a fetch; [`RegistryError::UnknownImage`] if there is no such image.
pub fn resolve(
    reference: &Reference,
    registries: &Registries,
) -> Result<Option<Digest>, RegistryError> {
    match reference.digest() {
        Some(digest) => Ok(Some(digest.clone())),
        None => ask(reference, registries),
    }
}

/// As [`resolve`], and a digest is asked for as well: whether the registry has it, and gives it to us.
///
/// # Errors
/// As [`resolve`].
pub fn ask(
    reference: &Reference,
    registries: &Registries,
) -> Result<Option<Digest>, RegistryError> {
    let mut origin = RegistryImage::connect(reference, registries, &Limits::default())?;
    let tag = reference.tag().unwrap_or(DEFAULT_TAG);
    let found = origin.places.first(Missing::Weak, |client| {
        let name = match reference.digest() {
            Some(digest) => digest.as_ref(),
            None => client.tag_for(tag),
        };
        let ask = ask_manifest(client, Method::Head, name)?;
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
