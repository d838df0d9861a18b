//! Whether a pod has an app of some name.

use pod::manifest::PodManifest;
use pod::{AppName, PodEntry};

use crate::error::{AppError, Error};

/// Refuses a name that no app of a pod has. Where there is no manifest to tell, nothing is refused.
///
/// # Errors
/// [`AppError::Unknown`].
pub(super) fn require(entry: &PodEntry, app: Option<&AppName>) -> Result<(), Error> {
    let (Some(app), Ok(manifest)) = (app, PodManifest::load(&entry.path)) else {
        return Ok(());
    };
    match manifest.app(app) {
        Some(_) => Ok(()),
        None => Err(AppError::unknown(&manifest, app).into()),
    }
}
