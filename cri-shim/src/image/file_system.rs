//! Where images are, and what they take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::api::{ImageFsInfoRequest, ImageFsInfoResponse};
use crate::disk::{Capacity, told};
use crate::error::CriError;
use crate::shim::Shim;

/// How long is waited for a first measurement. Until there is one, what the whole file system has in use is told: kubelets
/// take for granted that something is.
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
    let measured = shim.file_systems.measure(&paths, PATIENCE);
    let mut told = paths.iter().zip(measured).map(|(path, measured)| {
        let measured = measured.unwrap_or_else(|| Capacity::at(path).used());
        told(path, Some(measured))
    });
    Ok(ImageFsInfoResponse {
        image_filesystems: told.next().into_iter().collect(),
        container_filesystems: told.collect(),
    })
}
