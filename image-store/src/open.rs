//! From a source to the place that has the image: the one file that knows every kind of place.

use image_registry::RegistryImage;

use crate::archive::{ArchiveOrigin, Unpacking};
use crate::convert::ConvertedOrigin;
use crate::error::StoreError;
use crate::layout::LayoutOrigin;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::source::ImageSource;
use crate::store::Store;

/// Opens the place that `source` names. What has to be converted is, in a directory of the store for
/// half-done things.
pub(crate) fn open(
    source: &ImageSource,
    options: &FetchOptions,
    store: &Store,
) -> Result<Box<dyn Origin>, StoreError> {
    let unpacking = Unpacking {
        limits: &options.limits,
        stage: &|| store.stage(),
    };
    opened(source, options, store, &unpacking).map_err(|error| match error {
        // As somebody would write it to name one of them.
        StoreError::SeveralImages { names, .. } => StoreError::SeveralImages {
            origin: source.to_string(),
            names,
        },
        other => other,
    })
}

fn opened(
    source: &ImageSource,
    options: &FetchOptions,
    store: &Store,
    unpacking: &Unpacking<'_>,
) -> Result<Box<dyn Origin>, StoreError> {
    Ok(match source {
        ImageSource::Registry(reference) => Box::new(RegistryImage::connect(
            reference,
            &options.registries,
            &options.limits,
        )?),
        ImageSource::Layout { path, tag } => Box::new(LayoutOrigin::open(path, tag.as_deref())?),
        ImageSource::OciArchive { path, tag } => {
            Box::new(ArchiveOrigin::open_oci(path, tag.as_deref(), unpacking)?)
        }
        ImageSource::DockerArchive { path, reference } => Box::new(ArchiveOrigin::open_docker(
            path,
            reference.as_deref(),
            unpacking,
        )?),
        ImageSource::Aci { path } => Box::new(ConvertedOrigin::aci(path, options, store)?),
        ImageSource::Commit { path, .. } => Box::new(LayoutOrigin::open(path, None)?),
        ImageSource::Root { path } => Box::new(ConvertedOrigin::root(path, options, store)?),
    })
}
