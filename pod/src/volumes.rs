//! Volumes that are kept with the pod, and go with it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::error::PodError;
use crate::layout::{VOLUMES_DIR, empty_volume_dir};
use crate::manifest::{Medium, Volume, VolumeSource};

/// Makes the directories of those volumes that are kept with the pod on disk.
///
/// # Errors
/// [`PodError::Io`] if one can't be made.
pub fn make_all(pod_dir: &Path, volumes: &[Volume]) -> Result<(), PodError> {
    let on_disk = |volume: &Volume| match &volume.source {
        VolumeSource::Empty {
            medium: Medium::Disk,
            ownership,
            ..
        } => Some((volume.name.clone(), *ownership)),
        _ => None,
    };
    let mut on_disk = volumes.iter().filter_map(on_disk).peekable();
    if on_disk.peek().is_some() {
        make(&pod_dir.join(VOLUMES_DIR), 0o700)?;
    }
    on_disk.try_for_each(|(name, ownership)| {
        let directory = empty_volume_dir(pod_dir, &name);
        make(&directory, 0o755)?;
        ownership.give(&directory)
    })
}

fn make(path: &Path, mode: u32) -> Result<(), PodError> {
    let made = DirBuilder::new().mode(mode).create(path);
    made.map_err(PodError::io("create", path))
}
