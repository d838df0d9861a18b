//! Writing to a registry: blobs in one piece each (POST, then PUT), then manifests.

use oci_spec::image::Digest;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::LOCATION;

use super::answer::{failure, header};
use super::client::{Access, Ask, Client, Method, Payload};
use super::endpoint::{Endpoint, resolve};
use super::{get_manifest, signature_tag};
use crate::cosign;
use crate::digest::sha256;
use crate::error::StoreError;
use crate::export::Outgoing;
use crate::media_type;
use crate::origin::{FetchOptions, RawManifest};
use crate::reference::Reference;

/// Adds a signature of `subject` to the repository of `reference`, where cosign looks for it: the
/// tag `sha256-HEX.sig`. Signatures that are there stay. Gives the digest of the signature manifest.
///
/// `payload` is the simple-signing document, `signature` its signature in base64.
///
/// # Errors
/// [`StoreError::Unauthorized`] without the right to write, [`StoreError::Registry`],
/// [`StoreError::Network`]; [`StoreError::BadManifest`] if something else is at that tag.
pub fn push_signature(
    reference: &Reference,
    subject: &Digest,
    payload: &[u8],
    signature: &str,
    options: &FetchOptions,
) -> Result<Digest, StoreError> {
    let endpoint = Endpoint::new(reference, &options.plain_http_hosts);
    let mut client = Client::new(endpoint, Access::Push);
    add_signature(
        &mut client,
        subject,
        payload,
        signature,
        options.limits.manifest,
    )
}

/// As [`push_signature`], with a client.
pub(super) fn add_signature(
    client: &mut Client,
    subject: &Digest,
    payload: &[u8],
    signature: &str,
    max_manifest: u64,
) -> Result<Digest, StoreError> {
    let tag = signature_tag(subject)?;
    let existing = get_manifest(client, &tag, max_manifest)?;
    let bytes = existing.as_ref().map(|existing| existing.bytes.as_slice());
    let Some(appended) = cosign::append(bytes, payload, signature)? else {
        return Ok(existing.map_or_else(|| sha256(&[]), |existing| existing.digest));
    };
    for blob in [payload, &appended.config] {
        push_blob(client, &sha256(blob), Payload::Bytes(blob))?;
    }
    let manifest = RawManifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        digest: sha256(&appended.manifest),
        bytes: appended.manifest,
    };
    push_manifest(client, &tag, &manifest)?;
    Ok(manifest.digest)
}

/// Writes an image of the store, with its signatures, to the repository of `reference` and names
/// it by the tag of `reference`.
///
/// # Errors
/// As [`push_signature`], and [`StoreError::Missing`] if the store hasn't all of the image.
pub fn push_image(
    reference: &Reference,
    image: &Outgoing<'_>,
    options: &FetchOptions,
) -> Result<(), StoreError> {
    let content = image.content()?;
    let endpoint = Endpoint::new(reference, &options.plain_http_hosts);
    let mut client = Client::new(endpoint, Access::Push);
    for blob in &content.blobs {
        let path = (image.blob_path)(&blob.digest);
        push_blob(&mut client, &blob.digest, Payload::File(&path))?;
    }
    for document in &content.documents {
        push_manifest(&mut client, document.digest.as_ref(), document)?;
    }
    for (subject, manifest) in &content.signatures {
        push_manifest(&mut client, &signature_tag(subject)?, manifest)?;
    }
    match reference.tag() {
        Some(tag) => push_manifest(&mut client, tag, &content.top),
        None => Ok(()),
    }
}

/// Writes a blob unless the registry has it.
fn push_blob(client: &mut Client, digest: &Digest, payload: Payload<'_>) -> Result<(), StoreError> {
    let action = format!("writing blob {digest}");
    let url = client.url(&format!("blobs/{digest}"))?;
    let ask = |method, url, payload| Ask {
        method,
        url,
        headers: Vec::new(),
        payload,
        action: action.clone(),
    };
    if client
        .send(&ask(Method::Head, url, Payload::None))?
        .status()
        == 200
    {
        return Ok(());
    }
    let start = client.url("blobs/uploads/")?;
    let response = client.send(&ask(Method::Post, start, Payload::None))?;
    let response = expect(client, &action, response, 202)?;
    // After a change to TLS the base is another than the one that was asked for.
    let base = client.url("blobs/uploads/")?;
    let location = header(&response, LOCATION).unwrap_or_default();
    let upload = resolve(&base, location)
        .filter(|url| client.endpoint().may_follow(url))
        .ok_or_else(|| client.network(&action, "the registry gave no usable place to write to"))?;
    drop(response);
    let separator = if upload.query().is_some() { '&' } else { '?' };
    let upload = format!("{upload}{separator}digest={digest}")
        .parse()
        .map_err(|_| client.network(&action, "the registry gave no usable place to write to"))?;
    let mut put = ask(Method::Put, upload, payload);
    put.headers
        .push(("content-type", "application/octet-stream".to_owned()));
    let response = client.send(&put)?;
    expect(client, &action, response, 201).map(drop)
}

fn push_manifest(
    client: &mut Client,
    name: &str,
    manifest: &RawManifest,
) -> Result<(), StoreError> {
    let ask = Ask {
        method: Method::Put,
        url: client.url(&format!("manifests/{name}"))?,
        headers: vec![("content-type", manifest.media_type.clone())],
        payload: Payload::Bytes(&manifest.bytes),
        action: format!("writing manifest {name}"),
    };
    let response = client.send(&ask)?;
    expect(client, &ask.action, response, 201).map(drop)
}

fn expect(
    client: &Client,
    action: &str,
    response: Response<Body>,
    status: u16,
) -> Result<Response<Body>, StoreError> {
    if response.status() == status {
        Ok(response)
    } else {
        Err(failure(&client.endpoint().registry, action, response))
    }
}
