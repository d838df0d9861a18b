//! A place that can be written to.

use std::path::Path;

use image_document::Plan;
use image_name::Reference;
use image_registry::upload;

use crate::error::StoreError;
use crate::export;
use crate::options::FetchOptions;
use crate::plan::Source;
use crate::source::ImageSource;

/// A place that can be written to.
pub(super) enum Target<'a> {
    Registry(&'a Reference),
    Layout(&'a Path, Option<&'a str>),
    OciArchive(&'a Path, Option<&'a str>),
    DockerArchive(&'a Path, Option<&'a str>),
}

impl<'a> Target<'a> {
    pub(super) fn new(place: &'a ImageSource) -> Result<Self, StoreError> {
        Ok(match place {
            ImageSource::Registry(reference) => Self::Registry(reference),
            ImageSource::Layout { path, tag } => Self::Layout(path, tag.as_deref()),
            ImageSource::OciArchive { path, tag } => Self::OciArchive(path, tag.as_deref()),
            ImageSource::DockerArchive { path, reference } => {
                Self::DockerArchive(path, reference.as_deref())
            }
            ImageSource::Aci { .. } | ImageSource::Root { .. } | ImageSource::Commit { .. } => {
                return Err(StoreError::InvalidSource {
                    origin: place.to_string(),
                    reason: "images are not written in that format".to_owned(),
                });
            }
        })
    }

    pub(super) fn is_layout(&self) -> bool {
        matches!(self, Self::Layout(..) | Self::OciArchive(..))
    }

    /// A docker archive has no place for them.
    pub(super) fn takes_attachments(&self) -> bool {
        !matches!(self, Self::DockerArchive(..))
    }

    /// Writes what the plan says. `home` is the repository of a registry where the blobs are too.
    pub(super) fn write(
        &self,
        plan: &Plan,
        source: &mut Source<'_>,
        home: Option<&Reference>,
        access: &FetchOptions,
    ) -> Result<(), StoreError> {
        match self {
            Self::Registry(reference) => Ok(upload(
                plan,
                source,
                reference,
                home,
                &access.registries,
                &access.limits,
            )?),
            Self::Layout(path, tag) => export::layout(plan, source, path, *tag),
            Self::OciArchive(path, tag) => export::archive(plan, source, path, *tag),
            Self::DockerArchive(path, name) => export::docker(plan, source, path, *name),
        }
    }
}
