//! Where images are, and what they take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::api::{ImageFsInfoRequest, ImageFsInfoResponse};
use crate::disk::told;
use crate::error::CriError;
use crate::shim::Shim;

/// How long is waited for a first measurement.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where images are, and what they take; and where containers write, if that is another file system.
pub(crate) fn info(shim: &Shim, _: ImageFsInfoRequest) -> Result<ImageFsInfoResponse, CriError> {
    let directories = &shim.engine.directories;
    let images = directories.images();
    // Kubelets look for the file system that it is on, also before there is an image.
    fs::create_dir_all(&images).map_err(CriError::io(format!("make {}", images.display())))?;
    let mut paths = vec![images];
    let pods = directories.data.join("pods");
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    if device(&pods).is_some_and(|of_pods| paths.iter().all(|path| device(path) != Some(of_pods))) {
        paths.push(pods);
    }
    let measured = shim.disk.measure(&paths, PATIENCE);
    let mut told = paths
        .iter()
        .zip(measured)
        .map(|(path, measured)| told(path, measured));
    Ok(ImageFsInfoResponse {
        image_filesystems: told.next().into_iter().collect(),
        container_filesystems: told.collect(),
    })
}
