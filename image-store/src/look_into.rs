//! Which images an archive holds.

use crate::archive::{self, Unpacking};
use crate::contents::Contents;
use crate::error::StoreError;
use crate::options::FetchOptions;
use crate::source::ImageSource;
use crate::store::Store;

/// Looks which images an archive holds. Of any other source it is one: by its own name, if that is told.
///
/// # Errors
/// If it can't be read.
pub fn contents(
    store: &Store,
    source: &ImageSource,
    options: &FetchOptions,
) -> Result<Contents, StoreError> {
    let unpacking = Unpacking {
        limits: &options.limits,
        stage: &|| store.stage(),
    };
    match source {
        ImageSource::DockerArchive {
            path,
            reference: None,
        } => archive::docker_contents(path, &unpacking),
        ImageSource::OciArchive { path, tag: None } => archive::oci_contents(path, &unpacking),
        _ => Ok(Contents {
            names: Vec::new(),
            unnamed: 1,
        }),
    }
}
