//! Manifests of a registry, by tag or digest.

use image_document::{RawManifest, media_type};
use image_layer::{ContentError, sha256};
use image_name::Digest;
use ureq::http::header::{CONTENT_TYPE, HeaderName};

use super::answer::DOCUMENT_TIME;
use super::client::{Ask, Client, Document, Method, Payload};
use crate::error::RegistryError;

/// What a registry says that the digest of a manifest is.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The request for the manifest of a tag or digest.
pub(super) fn ask_manifest(
    client: &Client,
    method: Method,
    name: &str,
) -> Result<Ask<'static>, RegistryError> {
    Ok(Ask {
        method,
        url: client.url(&format!("manifests/{name}"))?,
        headers: vec![("accept", media_type::MANIFESTS.join(", "))],
        payload: Payload::None,
        // Who waits for several images has to know which one it was.
        action: format!(
            "reading manifest {name} of {}",
            client.endpoint().location().path()
        ),
        longest: DOCUMENT_TIME,
    })
}

/// Reads the manifest of a tag or digest; `None` if the registry has none.
pub(super) fn get_manifest(
    client: &mut Client,
    name: &str,
    limit: u64,
) -> Result<Option<RawManifest>, RegistryError> {
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
        return Err(RegistryError::Content(ContentError::DigestMismatch {
            what,
            expected: told.to_string(),
            found: digest.to_string(),
        }));
    }
    Ok(Some(RawManifest {
        media_type: media_type::of_manifest(&bytes, &told),
        bytes,
        digest,
    }))
}
