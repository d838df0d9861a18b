//! What an app sees of files that are not its image's.

use std::path::{Path, PathBuf};

use pod::manifest::{
    App, AppPath, Medium, Mount, MountOption, MountSource, PodManifest, VolumeSource,
    empty_volume_dir,
};
use pod::named_volumes::{NamedVolumeName, data_of, volumes_dir};
use serde::Serialize;

/// A mount of an app, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MountView {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MountKind,
    /// The volume that it is of: one that outlives pods, by the name that it has on the machine.
    pub volume: Option<String>,
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
    /// Of a volume of the pod, or of one that outlives pods.
    Volume,
    /// Of an image's files.
    Image,
    /// Memory.
    Tmpfs,
}

/// The mounts of an app.
pub(super) fn mounts(app: &App, manifest: &PodManifest, pod: &Path) -> Vec<MountView> {
    // `pods/PHASE/UUID`
    let data_dir = pod.ancestors().nth(3).unwrap_or(pod);
    let files_of = |name: &NamedVolumeName| volumes_dir(data_dir).join(data_of(name));
    let within = |source: PathBuf, sub_path: &Option<String>| match sub_path {
        Some(below) => source.join(below),
        None => source,
    };
    let view = |mount: &Mount| {
        let (kind, volume, source, is_fixed) = match &mount.source {
            MountSource::Host { path } => (MountKind::Bind, None, Some(path.clone()), false),
            MountSource::Tmpfs { .. } => (MountKind::Tmpfs, None, None, false),
            MountSource::Named { name, sub_path } => {
                let source = within(files_of(name), sub_path);
                (
                    MountKind::Volume,
                    Some(name.to_string()),
                    Some(source),
                    false,
                )
            }
            MountSource::Image { image, .. } => {
                let image = PathBuf::from(image.reference.to_string());
                (MountKind::Image, None, Some(image), true)
            }
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
                    Some(VolumeSource::Named { volume, .. }) => {
                        (MountKind::Volume, Some(files_of(volume)))
                    }
                    None => (MountKind::Volume, None),
                };
                let source = match kind {
                    MountKind::Bind | MountKind::Volume => {
                        source.map(|source| within(source, sub_path))
                    }
                    MountKind::Image | MountKind::Tmpfs => source,
                };
                let on_machine = match volume.map(|volume| &volume.source) {
                    Some(VolumeSource::Named { volume, .. }) => volume.to_string(),
                    _ => name.to_string(),
                };
                let is_fixed = volume.is_some_and(|volume| volume.read_only);
                let is_image = kind == MountKind::Image;
                (kind, Some(on_machine), source, is_fixed || is_image)
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
