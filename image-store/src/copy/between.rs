//! From one place to another, without the store.

use super::options::{Copied, CopyOptions};
use super::target::Target;
use crate::error::StoreError;
use crate::fetch::FetchEvent;
use crate::open::open;
use crate::plan::{self, Source, Wanted};
use crate::source::ImageSource;
use crate::store::Store;

/// Copies an image from one place to another. The store is not touched, but for blobs on their way
/// to a registry, which wait in its directory for half-done things.
///
/// # Errors
/// What is wrong with the image, [`StoreError::InvalidSource`] for a place that can't be written
/// to, and what the places answer. Where it fails, a directory or file is not there; a registry may
/// have got blobs, but no name for them.
pub fn copy(
    store: &Store,
    from: &ImageSource,
    to: &ImageSource,
    options: &CopyOptions,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Copied, StoreError> {
    let to = Target::new(to)?;
    let mut origin = open(from, &options.access, store)?;
    let wanted = Wanted {
        platform: options.platform.clone(),
        attachments: options.signatures && to.takes_attachments(),
        sparse: !matches!(to, Target::Registry(_)),
        limits: options.access.limits.clone(),
    };
    let plan = plan::make(origin.as_mut(), &from.to_string(), &wanted)?;
    let source = Source::new(origin.as_mut(), store, on_event);
    let mut source = source.until(&options.access.interrupt);
    let home = from.reference();
    to.write(&plan, &mut source, home, &options.access)?;
    let note = plan::layout_note(&plan).filter(|_| to.is_layout());
    let mut notes = plan.notes;
    notes.extend(note);
    Ok(Copied {
        digest: plan.top.digest,
        notes,
    })
}
