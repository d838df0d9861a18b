//! Fetching an image, judged before its layers are transferred.

use image_store::{FetchOptions, Image, ImageSource, Reference, StoreError};
use trust::VerifiedImage;

use crate::config::Config;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::output;
use crate::progress::Progress;
use crate::registries;
use crate::verify::Verifier;

/// An image that has been fetched. It still has to be judged at each start.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The name under which it is in the store.
    pub(crate) reference: Reference,
    /// The image.
    pub(crate) image: Image,
    /// Why it could be fetched.
    pub(crate) proof: VerifiedImage,
}

/// Fetches an image, under another name if one is given. The caller holds a pin if it means to use it.
///
/// # Errors
/// [`Failure::Refused`] before any layer is transferred, or what went wrong with the transfer.
pub(crate) fn fetch(
    context: &Context,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    name: Option<Reference>,
) -> Result<Fetched, Failure> {
    import(context, verifier, source, |options| options.name = name)
}

/// As [`fetch`], with options changed.
///
/// # Errors
/// As [`fetch`].
pub(crate) fn import(
    context: &Context,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    change: impl FnOnce(&mut FetchOptions),
) -> Result<Fetched, Failure> {
    let mut options = registries::fetch_options(context)?;
    change(&mut options);
    options.limits = Config::read(&context.directories)?.limits();
    let fetch = context.store().begin_fetch(source, &options)?;
    for note in fetch.notes() {
        output::warn(&one_line(note));
    }
    let proof = verifier.at_fetch(&fetch)?;
    let reference = fetch.reference().clone();
    let mut progress = Progress::new(reference.to_string());
    let image = fetch.complete(&mut |event| progress.event(event))?;
    Ok(Fetched {
        reference,
        image,
        proof,
    })
}

/// Fetches the first of these that there is. Where there are several, a registry that doesn't know
/// the image, or doesn't say, is no failure as long as another follows.
///
/// # Errors
/// As [`fetch`].
pub(crate) fn fetch_first(
    context: &Context,
    verifier: &Verifier<'_>,
    names: &[String],
) -> Result<Fetched, Failure> {
    let mut last = None;
    for name in names {
        match fetch(context, verifier, &ImageSource::parse(name)?, None) {
            Err(Failure::Store(
                error @ (StoreError::UnknownImage { .. } | StoreError::Unauthorized { .. }),
            )) => last = Some(error),
            other => return other,
        }
    }
    Err(match last {
        Some(error) => error.into(),
        None => Failure::Other("no image is named".to_owned()),
    })
}
