//! From what a person typed for an image to one that is in the store.

use image_name::Digest;
use image_store::{ImageSource, RefRecord, Reference};

use crate::arguments::image_flags::Pull;
use crate::context::Context;
use crate::failure::Failure;
use crate::fetching::{self, Show};
use crate::registries;
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
    let names = registries::full_names(context, text)?;
    for name in &names {
        // A digest alone tells no registry.
        let is_digest = name.starts_with("sha256:");
        if (is_digest || pull != Pull::Always)
            && let Some(record) = known(context, name)?
        {
            return Ok(record.into());
        }
    }
    if pull == Pull::Never {
        return Err(Failure::NotInStore {
            reference: text.to_owned(),
        });
    }
    let fetched = fetching::fetch_first(context, verifier, &names, Show::Progress)?;
    let top = fetched.image.chain().first();
    Ok(Choice {
        top: top.unwrap_or(fetched.image.manifest_digest()).clone(),
        reference: fetched.reference,
        record: None,
    })
}

/// What the store has by this name, where it is that of an image of a registry.
fn known(context: &Context, name: &str) -> Result<Option<RefRecord>, Failure> {
    let store = context.store();
    if name.starts_with("sha256:") {
        return Ok(store.find(name)?);
    }
    Ok(match ImageSource::parse(name)?.reference() {
        Some(reference) => store.resolve(reference)?,
        None => None,
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
    for name in registries::full_names(context, text)? {
        let name = name.strip_prefix("docker://").unwrap_or(&name);
        if let Some(record) = context.store().find(name)? {
            return Ok(record);
        }
    }
    Err(Failure::NotInStore {
        reference: text.to_owned(),
    })
}
