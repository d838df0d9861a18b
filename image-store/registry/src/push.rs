//! Writing to a registry: blobs in one piece each (POST, then PUT), then manifests.

use image_document::{RawManifest, cosign, media_type, referrer};
use image_layer::{Limits, sha256};
use image_name::{Digest, Reference};
use ureq::Body;
use ureq::http::header::{HeaderName, LOCATION};
use ureq::http::{Response, Uri};

use super::answer::{DOCUMENT_TIME, header};
use super::client::{Access, Ask, Client, Method, Payload};
use super::config::Registries;
use super::endpoint::{encode_query, resolve};
use super::manifests::get_manifest;
use crate::error::RegistryError;

/// By this a registry says that it lists a manifest among the referrers of its subject.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// Adds a signature of `subject` to the repository of `reference`, where cosign looks for it: the
/// tag `sha256-HEX.sig`. Signatures that are there stay. Gives the digest of the signature manifest.
///
/// `payload` is the simple-signing document, `signature` its signature in base64.
///
/// # Errors
/// [`RegistryError::Unauthorized`] without the right to write, [`RegistryError::Status`],
/// [`RegistryError::Network`]; [`RegistryError::Document`] if something else is at that tag.
pub fn push_signature(
    reference: &Reference,
    subject: &Digest,
    payload: &[u8],
    signature: &str,
    registries: &Registries,
    limits: &Limits,
) -> Result<Digest, RegistryError> {
    let mut client = Client::new(reference, Access::Push, registries)?;
    add_signature(&mut client, subject, payload, signature, limits.manifest)
}

/// As [`push_signature`], with a client.
pub(super) fn add_signature(
    client: &mut Client,
    subject: &Digest,
    payload: &[u8],
    signature: &str,
    max_manifest: u64,
) -> Result<Digest, RegistryError> {
    let tag = cosign::tag(subject, "sig");
    // Some give the image itself for every name that its digest can be read from.
    let existing =
        get_manifest(client, &tag, max_manifest)?.filter(|found| found.digest != *subject);
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

/// Adds a Sigstore bundle about `subject` to the repository of `reference`, as a referrer. Gives
/// the digest of the manifest that refers to the subject.
///
/// # Errors
/// As [`push_signature`]; [`RegistryError::UnknownImage`] if the registry hasn't the subject.
pub fn push_bundle(
    reference: &Reference,
    subject: &Digest,
    bundle: &[u8],
    registries: &Registries,
    limits: &Limits,
) -> Result<Digest, RegistryError> {
    let mut client = Client::new(reference, Access::Push, registries)?;
    add_bundle(&mut client, subject, bundle, limits.manifest)
}

/// As [`push_bundle`], with a client.
pub(super) fn add_bundle(
    client: &mut Client,
    subject: &Digest,
    bundle: &[u8],
    max_manifest: u64,
) -> Result<Digest, RegistryError> {
    let registry = client.endpoint().registry().to_owned();
    let unknown = || RegistryError::UnknownImage {
        reference: subject.to_string(),
        place: format!("at registry {registry}"),
    };
    let image = get_manifest(client, subject.as_ref(), max_manifest)?.ok_or_else(unknown)?;
    if image.digest != *subject {
        return Err(unknown());
    }
    let referrer = referrer::of_bundle(&image, bundle)?;
    for blob in [&referrer.config, &referrer.bundle] {
        push_blob(client, &sha256(blob), Payload::Bytes(blob))?;
    }
    let manifest = RawManifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        digest: sha256(&referrer.manifest),
        bytes: referrer.manifest,
    };
    push_referrer(client, subject, &manifest, max_manifest)?;
    Ok(manifest.digest)
}

/// Writes a manifest that refers to `subject`, and lists it at the subject's tag where the registry
/// doesn't say that it lists it itself.
pub(super) fn push_referrer(
    client: &mut Client,
    subject: &Digest,
    manifest: &RawManifest,
    max_manifest: u64,
) -> Result<(), RegistryError> {
    let response = put_manifest(client, manifest.digest.as_ref(), manifest)?;
    if header(&response, SUBJECT) == Some(subject.as_ref()) {
        return Ok(());
    }
    drop(response);
    let tag = referrer::tag(subject);
    let existing = get_manifest(client, &tag, max_manifest)?;
    let bytes = existing.as_ref().map(|list| list.bytes.as_slice());
    let Some(list) = referrer::add_to_list(bytes, manifest)? else {
        return Ok(());
    };
    let list = RawManifest {
        media_type: media_type::OCI_INDEX.to_owned(),
        digest: sha256(&list),
        bytes: list,
    };
    push_manifest(client, &tag, &list)
}

/// Writes a blob unless the registry has it.
pub(super) fn push_blob(
    client: &mut Client,
    digest: &Digest,
    payload: Payload<'_>,
) -> Result<(), RegistryError> {
    if has_blob(client, digest)? {
        return Ok(());
    }
    match begin_upload(client, digest, None)? {
        Some(upload) => finish_upload(client, digest, upload, payload),
        None => Ok(()),
    }
}

/// Whether the repository has a blob.
pub(super) fn has_blob(client: &mut Client, digest: &Digest) -> Result<bool, RegistryError> {
    let ask = Ask {
        method: Method::Head,
        url: client.url(&format!("blobs/{digest}"))?,
        headers: Vec::new(),
        payload: Payload::None,
        action: format!("looking for blob {digest}"),
        longest: DOCUMENT_TIME,
    };
    Ok(client.send(&ask)?.status() == 200)
}

/// Begins to write a blob. `None` if the registry takes it from its repository `from`, so that
/// nothing has to be sent.
pub(super) fn begin_upload(
    client: &mut Client,
    digest: &Digest,
    from: Option<&str>,
) -> Result<Option<Uri>, RegistryError> {
    let query = from.map_or(String::new(), |from| {
        format!("?mount={digest}&from={}", encode_query(from))
    });
    let ask = Ask {
        method: Method::Post,
        url: client.url(&format!("blobs/uploads/{query}"))?,
        headers: Vec::new(),
        payload: Payload::None,
        action: format!("writing blob {digest}"),
        longest: DOCUMENT_TIME,
    };
    let response = client.send(&ask)?;
    if from.is_some() && response.status() == 201 {
        return Ok(None);
    }
    let response = expect(client, &ask.action, response, 202)?;
    // After a change to TLS the base is another than the one that was asked for.
    let base = client.url("blobs/uploads/")?;
    let location = header(&response, LOCATION).unwrap_or_default();
    resolve(&base, location)
        .filter(|url| client.endpoint().may_follow(url))
        .map(Some)
        .ok_or_else(|| no_place(client, &ask.action))
}

/// Sends a blob to where the registry said.
pub(super) fn finish_upload(
    client: &mut Client,
    digest: &Digest,
    upload: Uri,
    payload: Payload<'_>,
) -> Result<(), RegistryError> {
    let action = format!("writing blob {digest}");
    let separator = if upload.query().is_some() { '&' } else { '?' };
    let url = format!("{upload}{separator}digest={digest}")
        .parse()
        .map_err(|_| no_place(client, &action))?;
    let ask = Ask {
        method: Method::Put,
        url,
        headers: vec![("content-type", "application/octet-stream".to_owned())],
        payload,
        action,
        longest: DOCUMENT_TIME,
    };
    let response = client.send(&ask)?;
    expect(client, &ask.action, response, 201).map(drop)
}

fn no_place(client: &Client, action: &str) -> RegistryError {
    client.network(action, "the registry named no usable upload location")
}

pub(super) fn push_manifest(
    client: &mut Client,
    name: &str,
    manifest: &RawManifest,
) -> Result<(), RegistryError> {
    put_manifest(client, name, manifest).map(drop)
}

fn put_manifest(
    client: &mut Client,
    name: &str,
    manifest: &RawManifest,
) -> Result<Response<Body>, RegistryError> {
    let ask = Ask {
        method: Method::Put,
        url: client.url(&format!("manifests/{name}"))?,
        headers: vec![("content-type", manifest.media_type.clone())],
        payload: Payload::Bytes(&manifest.bytes),
        action: format!("writing manifest {name}"),
        longest: DOCUMENT_TIME,
    };
    let response = client.send(&ask)?;
    expect(client, &ask.action, response, 201)
}

fn expect(
    client: &Client,
    action: &str,
    response: Response<Body>,
    status: u16,
) -> Result<Response<Body>, RegistryError> {
    if response.status() == status {
        Ok(response)
    } else {
        Err(client.failure(action, response))
    }
}
