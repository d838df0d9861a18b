//! Fetching an image, judged before its layers are transferred.

use image_store::{FetchOptions, Image, ImageSource, Reference, StoreError};
use trust::VerifiedImage;

use crate::config::Config;
use crate::context::Context;
use crate::failure::{Failure, one_line};
use crate::interrupt::Interruptible;
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

/// Whether a fetch tells how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// It does.
    Progress,
    /// It says what it has to warn of, and nothing else.
    Nothing,
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
    show: Show,
) -> Result<Fetched, Failure> {
    import(context, verifier, source, show, |options| {
        options.name = name
    })
}

/// As [`fetch`], with options changed.
///
/// # Errors
/// As [`fetch`].
pub(crate) fn import(
    context: &Context,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    show: Show,
    change: impl FnOnce(&mut FetchOptions),
) -> Result<Fetched, Failure> {
    let mut options = registries::fetch_options(context)?;
    change(&mut options);
    options.limits = Config::read(&context.directories)?.limits();
    let signals = Interruptible::begin()?;
    options.interrupt = signals.interrupt();
    let fetch = context.store().begin_fetch(source, &options)?;
    for note in fetch.notes() {
        output::warn(&one_line(note));
    }
    let proof = verifier.at_fetch(&fetch)?;
    let reference = fetch.reference().clone();
    let mut progress = Progress::fetching(reference.to_string(), show == Show::Nothing);
    signals.staging();
    let image = fetch.complete(&mut |event| progress.event(event));
    signals.end()?;
    let image = image?;
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
    show: Show,
) -> Result<Fetched, Failure> {
    let mut last = None;
    for name in names {
        match fetch(context, verifier, &ImageSource::parse(name)?, None, show) {
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
