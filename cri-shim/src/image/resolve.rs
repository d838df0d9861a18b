//! Which image a request means that makes something of it.

use image_name::Reference;
use image_store::{Image, RefRecord};

use super::find::{by_name, find};
use super::seen::load;
use crate::api::ImageSpec;
use crate::error::CriError;
use crate::handlers;
use crate::shim::Shim;

/// An image of the store.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// Its id.
    pub(crate) id: String,
    /// A name that it has: the one that the user has given, if it is the image's.
    pub(crate) reference: Reference,
    /// Its repository and digest.
    pub(crate) image_ref: String,
    /// What it says of itself.
    pub(crate) image: Image,
}

/// The image of the store that a request means, by its id, a tag or a digest.
///
/// # Errors
/// [`CriError::NotFound`]; [`CriError::Invalid`] if nothing is said, or what can't be a name.
pub(crate) fn resolve(shim: &Shim, spec: &ImageSpec) -> Result<Resolved, CriError> {
    let text = spec.image.as_str();
    if text.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    handlers::isolator(shim, &spec.runtime_handler).map_err(|error| error.below("image"))?;
    if let Some(resolved) = by_users_name(shim, spec)? {
        return Ok(resolved);
    }
    let not_found = || CriError::NotFound {
        what: "image",
        id: text.to_owned(),
    };
    if let Some(record) = by_name(shim, text)? {
        let image = load(&shim.engine.store(), &record).ok_or_else(not_found)?;
        return Ok(resolved(record, image));
    }
    let stored = find(shim, text)?.ok_or_else(not_found)?;
    let image = stored.image(&shim.engine.store()).ok_or_else(not_found)?;
    // A tag says more than a digest.
    let mut names = stored.names.into_iter();
    let first = names.next().ok_or_else(not_found)?;
    let best = match first.reference.tag() {
        Some(_) => first,
        None => names
            .find(|name| name.reference.tag().is_some())
            .unwrap_or(first),
    };
    Ok(resolved(best, image))
}

/// The image by the name that the user has given, if it is the one that is meant. No other image is looked at.
fn by_users_name(shim: &Shim, spec: &ImageSpec) -> Result<Option<Resolved>, CriError> {
    if spec.user_specified_image.is_empty() {
        return Ok(None);
    }
    // A name that says nothing here is no failure: the id counts.
    let Ok(Some(record)) = by_name(shim, &spec.user_specified_image) else {
        return Ok(None);
    };
    let Some(image) = load(&shim.engine.store(), &record) else {
        return Ok(None);
    };
    let id = image.config_digest();
    let is_meant = spec.image == id.as_str() || spec.image == id.hex();
    match is_meant || by_name(shim, &spec.image)?.is_some_and(|own| own.digest == record.digest) {
        true => Ok(Some(resolved(record, image))),
        false => Ok(None),
    }
}

fn resolved(record: RefRecord, image: Image) -> Resolved {
    Resolved {
        id: image.config_digest().to_string(),
        image_ref: record.reference.at_digest(&record.digest).to_string(),
        reference: record.reference,
        image,
    }
}
