//! Images on their way from one place to another, byte for byte: documents first, as a plan of
//! what belongs to the image, then its blobs, each hashed on the way. Nothing is unpacked.

mod attachments;
mod outgoing;
mod plan;
mod source;
mod store_origin;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::error::StoreError;
use crate::export;
use crate::fetch::FetchEvent;
use crate::manifest::Platform;
use crate::origin::{FetchOptions, open};
use crate::registry;
use crate::source::ImageSource;
use crate::store::Store;
use image_name::{Digest, Reference};
pub use outgoing::Outgoing;
use plan::Wanted;
pub(crate) use plan::{At, Blob, Plan};
pub(crate) use source::Source;

/// What of an image is copied, and how registries are spoken to.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// One platform of an index instead of all.
    pub platform: Option<Platform>,
    /// Whether signatures and other artifacts that refer to the image go along.
    pub signatures: bool,
    /// How to speak to registries, and what is too much. Its platform and name are not looked at.
    pub access: FetchOptions,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            platform: None,
            signatures: true,
            access: FetchOptions::default(),
        }
    }
}

/// What a copy, push or export did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Digest of the index or manifest, the same at both ends. A docker archive has none.
    pub digest: Digest,
    /// What was left out, a line each; a bounded number.
    pub notes: Vec<String>,
}

/// Copies an image from one place to another. The store is not touched, but for blobs on their way
/// to a registry, which wait in its folder for half-done things.
///
/// # Errors
/// What is wrong with the image, [`StoreError::InvalidSource`] for a place that can't be written
/// to, and what the places answer. Where it fails, a folder or file is not there; a registry may
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
    let plan = Plan::make(origin.as_mut(), &from.to_string(), &wanted)?;
    let mut source = Source::new(origin.as_mut(), store, on_event);
    let home = from.reference();
    to.write(&plan, &mut source, home, &options.access)?;
    let note = plan.layout_note().filter(|_| to.is_layout());
    let mut notes = plan.notes;
    notes.extend(note);
    Ok(Copied {
        digest: plan.top.digest,
        notes,
    })
}

/// A place that can be written to.
pub(crate) enum Target<'a> {
    Registry(&'a Reference),
    Layout(&'a Path, Option<&'a str>),
    OciArchive(&'a Path, Option<&'a str>),
    DockerArchive(&'a Path, Option<&'a str>),
}

impl<'a> Target<'a> {
    fn new(place: &'a ImageSource) -> Result<Self, StoreError> {
        Ok(match place {
            ImageSource::Registry(reference) => Self::Registry(reference),
            ImageSource::Layout { path, tag } => Self::Layout(path, tag.as_deref()),
            ImageSource::OciArchive { path, tag } => Self::OciArchive(path, tag.as_deref()),
            ImageSource::DockerArchive { path, reference } => {
                Self::DockerArchive(path, reference.as_deref())
            }
            ImageSource::Aci { .. } | ImageSource::Root { .. } => {
                return Err(StoreError::InvalidSource {
                    origin: place.to_string(),
                    reason: "images are not written in that format".to_owned(),
                });
            }
        })
    }

    fn is_layout(&self) -> bool {
        matches!(self, Self::Layout(..) | Self::OciArchive(..))
    }

    /// A docker archive has no place for them.
    fn takes_attachments(&self) -> bool {
        !matches!(self, Self::DockerArchive(..))
    }

    /// Writes what the plan says. `home` is the repository of a registry where the blobs are too.
    pub(crate) fn write(
        &self,
        plan: &Plan,
        source: &mut Source<'_>,
        home: Option<&Reference>,
        access: &FetchOptions,
    ) -> Result<(), StoreError> {
        match self {
            Self::Registry(reference) => registry::upload(plan, source, reference, home, access),
            Self::Layout(path, tag) => export::layout(plan, source, path, *tag),
            Self::OciArchive(path, tag) => export::archive(plan, source, path, *tag),
            Self::DockerArchive(path, name) => export::docker(plan, source, path, *name),
        }
    }
}
