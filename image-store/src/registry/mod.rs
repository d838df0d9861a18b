//! Registries: the pull and push sides of OCI distribution 1.1 and of Docker's registry API v2.
//!
//! Everything a registry answers is taken as hostile: bodies have caps, text that is shown is
//! stripped, redirects never carry credentials to another host nor lead from TLS to plain HTTP.
//! Nothing here verifies a blob: the caller hashes what it reads.

mod agent;
mod answer;
mod blob;
mod challenge;
mod client;
mod config;
mod credentials;
mod download;
mod endpoint;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod login;
mod mirrors;
mod proxy;
mod push;
mod referrers;
mod tls;
mod token;
mod upload;

use std::io::Read;

use image_name::{DEFAULT_TAG, Digest, Reference};
use ureq::http::header::{CONTENT_TYPE, HeaderName};

use crate::digest::sha256;
use crate::error::StoreError;
use crate::manifest::Descriptor;
use crate::media_type;
use crate::origin::{FetchOptions, Origin, RawManifest};
use answer::header;
use blob::BlobReader;
use client::{Ask, Client, Document, Method, Payload};
use mirrors::{Mirrors, Missing};

pub use config::{ConfigFolders, Registries};
pub use download::download;
pub use login::{Keep, Scope, check_login, forget_login, keep_login, known_user};
pub use push::{push_bundle, push_signature};
pub(crate) use upload::upload;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// An image of a registry.
pub(crate) struct RegistryOrigin {
    places: Mirrors,
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

    fn get(&mut self, name: &str, missing: Missing) -> Result<Option<RawManifest>, StoreError> {
        let limit = self.max_manifest;
        self.places
            .first(missing, |client| get_manifest(client, name, limit))
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
        self.get(&tag, Missing::Weak)?
            .ok_or_else(|| self.unknown(self.reference.to_string()))
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        let (limit, repository) = (self.max_manifest, self.reference.repository());
        let found = self.places.first(Missing::Weak, |client| {
            let found = get_manifest(client, digest.as_ref(), limit)?;
            match found {
                Some(found) if found.digest != *digest => Err(StoreError::DigestMismatch {
                    what: format!("manifest of {repository}"),
                    expected: digest.to_string(),
                    found: found.digest.to_string(),
                }),
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
        let client = self.places.chosen();
        Ok(Box::new(BlobReader::new(client, digest, size, body)))
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        self.get(tag, Missing::Strong)
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
        let ask = ask_manifest(client, Method::Head, tag)?;
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

fn ask_manifest(client: &Client, method: Method, name: &str) -> Result<Ask<'static>, StoreError> {
    Ok(Ask {
        method,
        url: client.url(&format!("manifests/{name}"))?,
        headers: vec![("accept", media_type::MANIFESTS.join(", "))],
        payload: Payload::None,
        action: format!("reading manifest {name}"),
    })
}

/// Reads the manifest of a tag or digest; `None` if the registry has none.
fn get_manifest(
    client: &mut Client,
    name: &str,
    limit: u64,
) -> Result<Option<RawManifest>, StoreError> {
    let ask = ask_manifest(client, Method::Get, name)?;
    let what = format!(
        "manifest {name} of registry {}",
        client.endpoint().registry()
    );
    let (headers, bytes) = match client.read(&ask, &what, limit)? {
        Document::Whole(headers, bytes) => (headers, bytes),
        Document::Other(response) if response.status() == 404 => return Ok(None),
        Document::Other(response) => return Err(client.failure(&ask.action, response)),
    };
    let text = |name| headers.get(name)?.to_str().ok().map(str::to_owned);
    let told = text(CONTENT_TYPE).unwrap_or_default();
    let told_digest = text(CONTENT_DIGEST);
    let digest = sha256(&bytes);
    // A wrong header is no attack that matters, but it is a sure sign of a garbled answer.
    if let Some(told) = told_digest.and_then(|told| Digest::parse(&told).ok())
        && told != digest
    {
        return Err(StoreError::DigestMismatch {
            what,
            expected: told.to_string(),
            found: digest.to_string(),
        });
    }
    Ok(Some(RawManifest {
        media_type: media_type::of_manifest(&bytes, &told),
        bytes,
        digest,
    }))
}

#[cfg(test)]
mod tests;
