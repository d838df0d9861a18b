//! Which image a request means that makes something of it.

use engine::images::choice;
use image_document::Platform;
use image_name::{Digest, Reference};
use image_store::{Image, RefRecord};

use crate::api::ImageSpec;
use crate::error::CriError;
use crate::shim::Shim;

/// An image of the store.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// Its id.
    pub(crate) id: String,
    /// A name that it has: the one that the user has given, if it is the image's.
    pub(crate) reference: Reference,
    /// Its index or manifest.
    pub(crate) top: Digest,
    /// Its repository and digest.
    pub(crate) image_ref: String,
    /// What it says of itself.
    pub(crate) image: Image,
}

/// The image of the store that a request means, by its id, a tag or a digest.
///
/// # Errors
/// [`CriError::NotFound`].
pub(crate) fn resolve(shim: &Shim, asked: &ImageSpec) -> Result<Resolved, CriError> {
    let found = find(shim, &asked.image)?.ok_or_else(|| CriError::NotFound {
        what: "image",
        id: asked.image.clone(),
    })?;
    let written = &asked.user_specified_image;
    if written.is_empty() || *written == asked.image {
        return Ok(found);
    }
    let by_name = find(shim, written)?;
    Ok(by_name
        .filter(|named| named.id == found.id)
        .unwrap_or(found))
}

fn find(shim: &Shim, text: &str) -> Result<Option<Resolved>, CriError> {
    if let Ok(record) = choice::record(&shim.engine, text) {
        return resolved(shim, record).map(Some);
    }
    let records = shim.engine.store().references();
    for record in records.map_err(engine::Error::from)? {
        if let Ok(one) = resolved(shim, record)
            && one.id == text
        {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

fn resolved(shim: &Shim, record: RefRecord) -> Result<Resolved, CriError> {
    let image = shim.engine.store().image(&record.digest, &Platform::host());
    let image = image.map_err(engine::Error::from)?;
    Ok(Resolved {
        id: image.config_digest().to_string(),
        image_ref: format!("{}@{}", record.reference.repository(), record.digest),
        reference: record.reference,
        top: record.digest,
        image,
    })
}
