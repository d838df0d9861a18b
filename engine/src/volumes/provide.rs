//! The volumes that a pod is about to mount: those that are missing are made, and new ones filled with what the image has at
//! their place.

use std::fs;
use std::path::{Path, PathBuf};

use image_store::tree::copy_directory;
use pod::PodError;
use pod::manifest::{
    Medium, Mount, MountOption, MountSource, PodManifest, Volume, VolumeSource, empty_volume_dir,
};
use pod::named_volumes::{Claim, NamedVolume, NamedVolumeName, NewVolume, Ownership, VolumesPin};

use crate::engine::Engine;
use crate::error::{Error, VolumeError};
use crate::selinux;

/// Directories of an app in which its image has no say.
const MOUNTED: [&str; 3] = ["dev", "proc", "sys"];

/// What an app mounts, and the trees of its image, topmost first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mounting<'a> {
    pub(crate) mounts: &'a [Mount],
    pub(crate) trees: &'a [PathBuf],
}

impl Mounting<'_> {
    /// Copies what the image has at a place into a new directory. False if it has no directory there.
    fn copy(&self, mount: &Mount, dest: &Path) -> Result<bool, Error> {
        let place = mount.destination.as_str();
        Ok(copy_directory(self.trees, place, &MOUNTED, dest)?)
    }
}

/// Makes those volumes that outlive the pod, where they are missing, and fills new ones. None is removed until the result is
/// dropped: not before the pod's manifest names them. `None` if there are none.
///
/// # Errors
/// What failed, on which volume.
pub(crate) fn provide(
    engine: &Engine,
    volumes: &[Volume],
    apps: &[Mounting<'_>],
) -> Result<Option<VolumesPin>, Error> {
    let of_pod = volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Named { volume, ownership } => Some((volume, *ownership)),
        _ => None,
    });
    let mounts = apps.iter().flat_map(|app| app.mounts);
    let of_apps = mounts.filter_map(|mount| match &mount.source {
        MountSource::Named { name, .. } => Some((name, Ownership::default())),
        _ => None,
    });
    let wanted: Vec<_> = of_pod.chain(of_apps).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    'all: loop {
        let pin = engine.volumes().pin().map_err(VolumeError::Files)?;
        for one in &wanted {
            if let Some(busy) = provide_one(engine, *one, volumes, apps, &pin)? {
                // Whoever is about another volume does not wait for this one.
                drop(pin);
                if !busy.wait_until_filled().map_err(VolumeError::Files)? {
                    return Err(VolumeError::Held(busy.record.name).into());
                }
                continue 'all;
            }
        }
        return Ok(Some(pin));
    }
}

/// Gives the volume back if another command is filling it.
fn provide_one(
    engine: &Engine,
    (name, ownership): (&NamedVolumeName, Ownership),
    volumes: &[Volume],
    apps: &[Mounting<'_>],
    pin: &VolumesPin,
) -> Result<Option<NamedVolume>, Error> {
    let store = engine.volumes();
    let volume = match store.get(name).map_err(VolumeError::Files)? {
        Some(volume) => volume,
        None => {
            let new = NewVolume {
                ownership,
                ..NewVolume::called(name.clone())
            };
            let made = store.create(new, pin).map_err(VolumeError::Files)?;
            match made {
                Some(volume) => volume,
                // Another command was faster.
                None => store
                    .get(name)
                    .map_err(VolumeError::Files)?
                    .ok_or_else(|| VolumeError::Unknown(name.clone()))?,
            }
        }
    };
    let named = |mount: &Mount| match &mount.source {
        MountSource::Named { name: other, .. } => other == name,
        MountSource::Volume { name: other, .. } => volumes.iter().any(|volume| {
            let source = &volume.source;
            volume.name == *other
                && matches!(source, VolumeSource::Named { volume, .. } if volume == name)
        }),
        _ => false,
    };
    // The first place counts.
    let first = apps.iter().find_map(|app| {
        let mount = app.mounts.iter().find(|mount| named(mount))?;
        Some((app, mount))
    });
    let Some((app, mount)) = first else {
        // Nobody mounts it: it stays as new as it is.
        return Ok(None);
    };
    let first = match volume.claim(pin).map_err(VolumeError::Files)? {
        Claim::UsedBefore => return Ok(None),
        Claim::Busy => return Ok(Some(volume)),
        Claim::First(first) => first,
    };
    let label = selinux::shared_label(&engine.directories)?;
    let labelled = |directory: &Path| {
        let label = label.as_ref();
        label.map_or(Ok(()), |label| selinux::relabel(directory, label))
    };
    labelled(&volume.data())?;
    first.fill(|dest| {
        let copied = is_whole(mount) && copies(mount, true) && app.copy(mount, dest)?;
        if copied {
            labelled(dest)?;
        }
        Ok::<_, Error>(copied)
    })?;
    Ok(None)
}

/// Makes sure that the volumes of a pod that was prepared before are there, and stay until the result is dropped.
///
/// # Errors
/// If one is gone.
pub(crate) fn require(
    engine: &Engine,
    manifest: &PodManifest,
) -> Result<Option<VolumesPin>, Error> {
    let mut names = manifest.named_volumes().peekable();
    if names.peek().is_none() {
        return Ok(None);
    }
    let store = engine.volumes();
    let pin = store.pin().map_err(VolumeError::Files)?;
    for name in names {
        let found = store.get(name).map_err(VolumeError::Files)?;
        found.ok_or_else(|| VolumeError::Unknown(name.clone()))?;
    }
    Ok(Some(pin))
}

/// Fills those volumes that go with the pod, are empty, and are to begin with what an image has at their place.
///
/// # Errors
/// What failed, on which volume.
pub(crate) fn copied_into(
    pod_dir: &Path,
    volumes: &[Volume],
    apps: &[Mounting<'_>],
) -> Result<(), Error> {
    for volume in volumes {
        let VolumeSource::Empty {
            medium: Medium::Disk,
            ownership,
            ..
        } = &volume.source
        else {
            continue;
        };
        let is_of = |mount: &&Mount| matches!(&mount.source, MountSource::Volume { name, .. } if *name == volume.name);
        let first = apps.iter().find_map(|app| {
            let mount = app.mounts.iter().find(is_of)?;
            (is_whole(mount) && copies(mount, false)).then_some((app, mount))
        });
        let Some((app, mount)) = first else {
            continue;
        };
        let place = empty_volume_dir(pod_dir, &volume.name);
        // No volume is called so.
        let staged = place.with_extension("new");
        if app.copy(mount, &staged)? {
            ownership.give(&staged)?;
            fs::rename(&staged, &place).map_err(PodError::io("rename", &staged))?;
        }
    }
    Ok(())
}

/// Whether a mount is of the whole volume, and not of a part.
fn is_whole(mount: &Mount) -> bool {
    match &mount.source {
        MountSource::Volume { sub_path, .. } | MountSource::Named { sub_path, .. } => {
            sub_path.is_none()
        }
        _ => false,
    }
}

/// Whether what the image has at the place is to be copied; the last word counts.
fn copies(mount: &Mount, unless_said: bool) -> bool {
    let options = mount.options.iter().rev();
    let said = options.filter_map(|option| match option {
        MountOption::Copy => Some(true),
        MountOption::Nocopy => Some(false),
        _ => None,
    });
    said.into_iter().next().unwrap_or(unless_said)
}
