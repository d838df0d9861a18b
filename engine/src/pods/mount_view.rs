//! What an app sees of files that are not its image's.

use std::path::{Path, PathBuf};

use pod::manifest::{
    App, AppPath, Medium, Mount, MountOption, MountSource, PodManifest, VolumeName, VolumeSource,
    empty_volume_dir,
};
use serde::Serialize;

/// A mount of an app, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MountView {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MountKind,
    /// The volume that it is of.
    pub volume: Option<VolumeName>,
    /// The file or directory of the host, or the image.
    pub source: Option<PathBuf>,
    /// Where the app sees it.
    pub destination: AppPath,
    /// Whether the app can't write to it.
    pub read_only: bool,
    /// How it is mounted.
    pub options: Vec<MountOption>,
}

/// What a mount is, as docker and podman call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// Of the host.
    Bind,
    /// Of a volume of the pod.
    Volume,
    /// Of an image's files.
    Image,
    /// Memory.
    Tmpfs,
}

/// The mounts of an app.
pub(super) fn mounts(app: &App, manifest: &PodManifest, pod: &Path) -> Vec<MountView> {
    let view = |mount: &Mount| {
        let (kind, volume, source, is_fixed) = match &mount.source {
            MountSource::Host { path } => (MountKind::Bind, None, Some(path.clone()), false),
            MountSource::Tmpfs { .. } => (MountKind::Tmpfs, None, None, false),
            MountSource::Volume { name, sub_path } => {
                let volume = manifest.volumes.iter().find(|volume| volume.name == *name);
                let (kind, source) = match volume.map(|volume| &volume.source) {
                    Some(VolumeSource::Host { path }) => (MountKind::Bind, Some(path.clone())),
                    Some(VolumeSource::Image { image }) => {
                        let image = PathBuf::from(image.reference.to_string());
                        (MountKind::Image, Some(image))
                    }
                    Some(VolumeSource::Empty { medium, .. }) => {
                        let kept = empty_volume_dir(pod, name);
                        let is_kept = *medium == Medium::Disk;
                        (MountKind::Volume, is_kept.then_some(kept))
                    }
                    None => (MountKind::Volume, None),
                };
                let source = match (source, sub_path, kind) {
                    (Some(source), Some(below), MountKind::Bind | MountKind::Volume) => {
                        Some(source.join(below))
                    }
                    (source, ..) => source,
                };
                let is_fixed = volume.is_some_and(|volume| volume.read_only);
                let is_image = kind == MountKind::Image;
                (kind, Some(name.clone()), source, is_fixed || is_image)
            }
        };
        let is_read_only =
            |option: &MountOption| matches!(option, MountOption::Ro | MountOption::Rro);
        MountView {
            kind,
            volume,
            source,
            destination: mount.destination.clone(),
            read_only: is_fixed || mount.options.iter().any(is_read_only),
            options: mount.options.clone(),
        }
    };
    app.mounts.iter().map(view).collect()
}
