//! A whole image into a registry: blobs, then the documents that name them, the name last.

use std::path::Path;

use image_document::{At, Blob, Plan, RawManifest, cosign, media_type};
use image_layer::{ContentError, Limits, sha256};
use image_name::Reference;

use super::client::{Access, Client, Payload};
use super::config::Registries;
use super::manifests::get_manifest;
use super::push::{begin_upload, finish_upload, has_blob, push_blob, push_manifest, push_referrer};
use crate::error::RegistryError;

/// Where the blobs of an image on its way are, and who is told of them.
pub trait BlobSource {
    /// A file with a blob that is as its digest says, for as long as this lives.
    type File: AsRef<Path>;

    /// Tells of a blob before it is transferred; `present` if it needn't be.
    fn announce(&mut self, blob: &Blob, present: bool);

    /// A file with the blob, which may have to be read several times.
    ///
    /// # Errors
    /// Whatever is wrong with it; what is of the source's own goes as [`ContentError::Source`].
    fn file(&mut self, blob: &Blob) -> Result<Self::File, ContentError>;

    /// Tells that a blob has arrived.
    fn arrived(&mut self, blob: &Blob);
}

/// Writes what the plan says to the repository of `to`, under its tag if it has one. Blobs that
/// are there are not sent; those that the same registry has in the repository of `home` neither.
///
/// # Errors
/// What the registry answers; what is wrong with a blob; [`RegistryError::InvalidReference`] if `to`
/// has a digest that isn't the image's.
pub fn upload(
    plan: &Plan,
    source: &mut impl BlobSource,
    to: &Reference,
    home: Option<&Reference>,
    registries: &Registries,
    limits: &Limits,
) -> Result<(), RegistryError> {
    if let Some(digest) = to.digest().filter(|digest| **digest != plan.top.digest) {
        return Err(RegistryError::InvalidReference {
            reference: to.to_string(),
            reason: format!("the image has digest {}, not {digest}", plan.top.digest),
        });
    }
    let mut client = Client::new(to, Access::Push, registries)?;
    let from = home
        .filter(|home| home.registry() == to.registry() && home.path() != to.path())
        .map(Reference::path);
    for blob in &plan.blobs {
        one_blob(&mut client, source, blob, from)?;
    }
    for document in &plan.documents {
        if document.digest != plan.top.digest || to.tag().is_none() {
            push_manifest(&mut client, document.digest.as_ref(), document)?;
        }
    }
    // What is signed is there when its signatures are, and the name comes when all is there.
    let limit = limits.manifest;
    if to.tag().is_some() && !plan.attachments.is_empty() {
        push_manifest(&mut client, plan.top.digest.as_ref(), &plan.top)?;
    }
    for one in &plan.attachments {
        match &one.at {
            At::Tag(tag) => at_tag(&mut client, tag, &one.manifest, limit)?,
            At::Subject(subject) => push_referrer(&mut client, subject, &one.manifest, limit)?,
        }
    }
    match to.tag() {
        Some(tag) => push_manifest(&mut client, tag, &plan.top),
        None => Ok(()),
    }
}

fn one_blob(
    client: &mut Client,
    source: &mut impl BlobSource,
    blob: &Blob,
    from: Option<&str>,
) -> Result<(), RegistryError> {
    if has_blob(client, &blob.digest)? {
        source.announce(blob, true);
        return Ok(());
    }
    // Before anything is sent: the blob may not be here, and a half-begun upload helps nobody.
    let mounted = match from {
        Some(_) => begin_upload(client, &blob.digest, from)?,
        None => None,
    };
    if from.is_some() && mounted.is_none() {
        source.announce(blob, true);
        return Ok(());
    }
    source.announce(blob, false);
    let file = source.file(blob)?;
    let upload = match mounted {
        Some(upload) => Some(upload),
        None => begin_upload(client, &blob.digest, None)?,
    };
    if let Some(upload) = upload {
        finish_upload(client, &blob.digest, upload, Payload::File(file.as_ref()))?;
    }
    source.arrived(blob);
    Ok(())
}

/// Writes what cosign keeps at a tag. What is at that tag already stays in it.
fn at_tag(
    client: &mut Client,
    tag: &str,
    manifest: &RawManifest,
    limit: u64,
) -> Result<(), RegistryError> {
    let existing = get_manifest(client, tag, limit)?;
    let existing = existing.filter(|_| !tag.ends_with(".sbom"));
    let Some(existing) = existing else {
        return push_manifest(client, tag, manifest);
    };
    if existing.digest == manifest.digest {
        return Ok(());
    }
    let Some(merged) = cosign::merge(&existing.bytes, &manifest.bytes)? else {
        return Ok(());
    };
    push_blob(
        client,
        &sha256(&merged.config),
        Payload::Bytes(&merged.config),
    )?;
    let merged = RawManifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        digest: sha256(&merged.manifest),
        bytes: merged.manifest,
    };
    push_manifest(client, tag, &merged)
}
