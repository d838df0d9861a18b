//! From what a person typed for an image to one that is in the store.

use image_store::{ImageSource, RefRecord, Reference};
use oci_spec::image::Digest;

use crate::arguments::image_flags::Pull;
use crate::context::Context;
use crate::failure::Failure;
use crate::fetching;
use crate::verify::Verifier;

/// An image of the store, by name and digest.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Its name.
    pub(crate) reference: Reference,
    /// Its index or manifest.
    pub(crate) top: Digest,
    /// What the store knew of the name; `None` if it was fetched just now.
    record: Option<RefRecord>,
}

impl Choice {
    /// Notes that the image is used.
    pub(crate) fn note_use(&self, context: &Context) {
        if let Some(record) = &self.record {
            context.store().note_use(record);
        }
    }
}

impl From<RefRecord> for Choice {
    fn from(record: RefRecord) -> Self {
        Self {
            reference: record.reference.clone(),
            top: record.digest.clone(),
            record: Some(record),
        }
    }
}

/// Finds an image in the store, and fetches it where `pull` says so. The caller holds a pin.
///
/// # Errors
/// [`Failure::NotInStore`] if it may not be fetched, or what goes wrong with the fetch.
pub(crate) fn choose(
    context: &Context,
    verifier: &Verifier<'_>,
    text: &str,
    pull: Pull,
) -> Result<Choice, Failure> {
    if text.starts_with("sha256:") {
        return in_store(context, text);
    }
    let source = ImageSource::parse(text)?;
    if let (Some(reference), Pull::Missing | Pull::Never) = (source.reference(), pull) {
        let store = context.store();
        let found = match store.resolve(reference)? {
            Some(record) => Some(record),
            // A prefix of a digest looks like a name; the name comes first.
            None => store.find(text.strip_prefix("docker://").unwrap_or(text))?,
        };
        if let Some(record) = found {
            return Ok(record.into());
        }
    }
    if pull == Pull::Never {
        return Err(Failure::NotInStore {
            reference: text.to_owned(),
        });
    }
    let fetched = fetching::fetch(context, verifier, &source, None)?;
    let top = fetched.image.chain().first();
    Ok(Choice {
        top: top.unwrap_or(fetched.image.manifest_digest()).clone(),
        reference: fetched.reference,
        record: None,
    })
}

/// Finds an image in the store by name or by the beginning of its digest.
///
/// # Errors
/// [`Failure::NotInStore`].
pub(crate) fn in_store(context: &Context, text: &str) -> Result<Choice, Failure> {
    record(context, text).map(Choice::from)
}

/// As [`in_store`], with all that the store knows of the name.
///
/// # Errors
/// [`Failure::NotInStore`].
pub(crate) fn record(context: &Context, text: &str) -> Result<RefRecord, Failure> {
    let name = text.strip_prefix("docker://").unwrap_or(text);
    context
        .store()
        .find(name)?
        .ok_or_else(|| Failure::NotInStore {
            reference: text.to_owned(),
        })
}
