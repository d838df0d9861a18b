//! What an app sees of files that are not its image's.

use std::path::{Path, PathBuf};

use pod::manifest::{
    App, AppPath, ImageRecord, Medium, Mount, MountOption, MountSource, PodManifest, VolumeSource,
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
    /// Most that fits, in bytes, if it is memory that was given a size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Permission bits of memory, if they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Whose the memory is, if that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Whose group's it is, if that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
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

/// The mounts of an app. `pod` is the pod's directory, below the data directory as all are.
pub(super) fn mounts(app: &App, manifest: &PodManifest, pod: &Path) -> Vec<MountView> {
    let view = |mount: &Mount| {
        let shown = shown(&mount.source, manifest, pod);
        let is_read_only =
            |option: &MountOption| matches!(option, MountOption::Ro | MountOption::Rro);
        let (size, mode, uid, gid) = match mount.source {
            MountSource::Tmpfs {
                size,
                mode,
                uid,
                gid,
            } => (size, mode, uid, gid),
            _ => (None, None, None, None),
        };
        MountView {
            kind: shown.kind,
            volume: shown.volume,
            source: shown.source,
            destination: mount.destination.clone(),
            read_only: shown.is_fixed || mount.options.iter().any(is_read_only),
            options: mount.options.clone(),
            size,
            mode,
            uid,
            gid,
        }
    };
    app.mounts.iter().map(view).collect()
}

/// What is to be told of a mount's source.
struct Shown {
    kind: MountKind,
    volume: Option<String>,
    source: Option<PathBuf>,
    /// Whether nobody can write to it.
    is_fixed: bool,
}

impl Shown {
    fn new(kind: MountKind, source: Option<PathBuf>) -> Self {
        Self {
            kind,
            volume: None,
            source,
            is_fixed: kind == MountKind::Image,
        }
    }

    /// A part of it.
    fn below(mut self, sub_path: Option<&String>) -> Self {
        if let (Some(below), MountKind::Bind | MountKind::Volume) = (sub_path, self.kind) {
            self.source = self.source.map(|source| source.join(below));
        }
        self
    }
}

fn shown(source: &MountSource, manifest: &PodManifest, pod: &Path) -> Shown {
    match source {
        MountSource::Host { path } => Shown::new(MountKind::Bind, Some(path.clone())),
        MountSource::Tmpfs { .. } | MountSource::Credentials { .. } => {
            Shown::new(MountKind::Tmpfs, None)
        }
        MountSource::Notify => Shown::new(MountKind::Bind, None),
        MountSource::Named { name, sub_path } => named(name, pod).below(sub_path.as_ref()),
        MountSource::Image { image, .. } => image_files(image),
        MountSource::Volume { name, sub_path } => {
            let volume = manifest.volumes.iter().find(|volume| volume.name == *name);
            let shown = match volume.map(|volume| &volume.source) {
                Some(VolumeSource::Host { path, .. }) => {
                    Shown::new(MountKind::Bind, Some(path.clone()))
                }
                Some(VolumeSource::Image { image }) => image_files(image),
                Some(VolumeSource::Named { volume, .. }) => named(volume, pod),
                Some(VolumeSource::Empty { medium, .. }) => {
                    let kept = empty_volume_dir(pod, name);
                    let is_kept = *medium == Medium::Disk;
                    Shown::new(MountKind::Volume, is_kept.then_some(kept))
                }
                None => Shown::new(MountKind::Volume, None),
            };
            let is_fixed = shown.is_fixed || volume.is_some_and(|volume| volume.read_only);
            Shown {
                volume: shown.volume.clone().or_else(|| Some(name.to_string())),
                is_fixed,
                ..shown.below(sub_path.as_ref())
            }
        }
    }
}

fn named(name: &NamedVolumeName, pod: &Path) -> Shown {
    // pods/PHASE/UUID
    let data_dir = pod.ancestors().nth(3);
    let source = data_dir.map(|data_dir| volumes_dir(data_dir).join(data_of(name)));
    Shown {
        volume: Some(name.to_string()),
        ..Shown::new(MountKind::Volume, source)
    }
}

fn image_files(image: &ImageRecord) -> Shown {
    let name = PathBuf::from(image.reference.to_string());
    Shown::new(MountKind::Image, Some(name))
}
