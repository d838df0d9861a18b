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
mod credentials;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod push;
mod referrers;
mod token;
mod upload;

use std::io::Read;

use oci_spec::image::Digest;
use ureq::http::header::{CONTENT_TYPE, HeaderName};

use crate::digest::{parse_digest, sha256};
use crate::error::StoreError;
use crate::manifest::Descriptor;
use crate::media_type;
use crate::origin::{FetchOptions, Origin, RawManifest};
use crate::reference::Reference;
use answer::{failure, header, read_body};
use blob::BlobReader;
use client::{Access, Ask, Client, Method, Payload};
use endpoint::Endpoint;

pub use push::{push_bundle, push_signature};
pub(crate) use upload::upload;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// An image of a registry.
pub(crate) struct RegistryOrigin {
    client: Client,
    reference: Reference,
    max_manifest: u64,
    /// The registry answered that it has no API for referrers: it isn't asked again.
    lists_by_tag: bool,
}

impl RegistryOrigin {
    /// Prepares to read `reference`. The network is not touched before something is asked for.
    pub(crate) fn connect(
        reference: &Reference,
        options: &FetchOptions,
    ) -> Result<Self, StoreError> {
        let endpoint = Endpoint::new(reference, &options.plain_http_hosts);
        Ok(Self {
            client: Client::new(endpoint, Access::Pull),
            reference: reference.clone(),
            max_manifest: options.limits.manifest,
            lists_by_tag: false,
        })
    }

    fn get(&mut self, name: &str) -> Result<Option<RawManifest>, StoreError> {
        get_manifest(&mut self.client, name, self.max_manifest)
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
        let tag = self
            .reference
            .tag()
            .unwrap_or(crate::reference::DEFAULT_TAG)
            .to_owned();
        self.get(&tag)?
            .ok_or_else(|| self.unknown(self.reference.to_string()))
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        let found = self
            .get(digest.as_ref())?
            .ok_or_else(|| self.unknown(self.reference.at_digest(digest).to_string()))?;
        if found.digest == *digest {
            return Ok(found);
        }
        Err(StoreError::DigestMismatch {
            what: format!("manifest of {}", self.reference.repository()),
            expected: digest.to_string(),
            found: found.digest.to_string(),
        })
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        Ok(Box::new(BlobReader::open(&mut self.client, digest, size)?))
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        self.get(tag)
    }

    fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        if !self.lists_by_tag {
            let listed = referrers::by_api(&mut self.client, subject, kind, self.max_manifest)?;
            if let Some(listed) = listed {
                return Ok(listed);
            }
            self.lists_by_tag = true;
        }
        referrers::by_tag(&mut self.client, subject, self.max_manifest)
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
    let tag = reference.tag().unwrap_or(crate::reference::DEFAULT_TAG);
    let ask = ask_manifest(&origin.client, Method::Head, tag)?;
    let response = origin.client.send(&ask)?;
    match response.status().as_u16() {
        200 => Ok(header(&response, CONTENT_DIGEST).and_then(|digest| parse_digest(digest).ok())),
        404 => Err(origin.unknown(reference.to_string())),
        _ => Err(failure(reference.registry(), &ask.action, response)),
    }
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
    let response = client.send(&ask)?;
    match response.status().as_u16() {
        200 => {}
        404 => return Ok(None),
        _ => return Err(failure(&client.endpoint().registry, &ask.action, response)),
    }
    let told = header(&response, CONTENT_TYPE)
        .unwrap_or_default()
        .to_owned();
    let told_digest = header(&response, CONTENT_DIGEST).map(str::to_owned);
    let what = format!("manifest {name} of registry {}", client.endpoint().registry);
    let bytes = read_body(response, &what, limit)?;
    let digest = sha256(&bytes);
    // A wrong header is no attack that matters, but it is a sure sign of a garbled answer.
    if let Some(told) = told_digest.and_then(|told| parse_digest(&told).ok())
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
