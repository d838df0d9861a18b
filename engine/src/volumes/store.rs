//! Volumes that outlive pods, for those who keep them: made, removed, filled from an archive.

use std::fs::File;
use std::path::Path;

use image_store::{ContentError, Interrupt, StoreError, tree};
use pod::PodError;
use pod::named_volumes::{
    Claim, Discarding, FirstUse, NamedVolume, NamedVolumeName, NamedVolumes, NewVolume, VolumeHold,
    VolumesAlone,
};

use super::in_use::volumes_in_use;
use crate::config::files::Config;
use crate::engine::Engine;
use crate::error::{Error, VolumeError};
use crate::observer::Observer;
use crate::selinux;

/// Makes an empty volume.
///
/// # Errors
/// [`VolumeError::Exists`].
pub fn create(engine: &Engine, new: NewVolume) -> Result<NamedVolume, Error> {
    let volumes = engine.volumes();
    let name = new.name.clone();
    let pin = volumes.pin().map_err(VolumeError::Files)?;
    let made = volumes.create(new, &pin).map_err(VolumeError::Files)?;
    Ok(made.ok_or(VolumeError::Exists(name))?)
}

/// The volume of that name.
///
/// # Errors
/// [`VolumeError::Unknown`].
pub fn find(engine: &Engine, name: &NamedVolumeName) -> Result<NamedVolume, Error> {
    let found = engine.volumes().get(name).map_err(VolumeError::Files)?;
    Ok(found.ok_or_else(|| VolumeError::Unknown(name.clone()))?)
}

/// Removes a volume that no pod uses, with all that is in it.
///
/// # Errors
/// [`VolumeError::Unknown`], [`VolumeError::InUse`] or [`VolumeError::Held`], or if something of it can't be removed.
pub fn remove(
    engine: &Engine,
    name: &NamedVolumeName,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let unknown = || VolumeError::Unknown(name.clone());
    let volumes = engine.volumes();
    let alone = alone(&volumes, observer)?.ok_or_else(unknown)?;
    if let Some(users) = volumes_in_use(&engine.pods())?.all()?.get(name) {
        let pods = users.iter().map(ToString::to_string).collect();
        let name = name.clone();
        return Err(VolumeError::InUse { name, pods }.into());
    }
    let discarding = volumes.discard(name, &alone).map_err(VolumeError::Files)?;
    // It is gone for everybody: nobody has to wait for the rest.
    drop(alone);
    match discarding {
        Discarding::Done(discarded) => Ok(discarded.remove().map_err(VolumeError::Files)?),
        Discarding::Missing => Err(unknown().into()),
        Discarding::Held => Err(VolumeError::Held(name.clone()).into()),
    }
}

/// The volume of that name, which is not removed while the second of these is kept.
///
/// # Errors
/// [`VolumeError::Unknown`].
pub fn hold(engine: &Engine, name: &NamedVolumeName) -> Result<(NamedVolume, VolumeHold), Error> {
    let pin = engine.volumes().pin().map_err(VolumeError::Files)?;
    let volume = find(engine, name)?;
    let hold = volume.hold(&pin).map_err(VolumeError::Files)?;
    Ok((volume, hold))
}

fn alone(
    volumes: &NamedVolumes,
    observer: &dyn Observer,
) -> Result<Option<VolumesAlone>, VolumeError> {
    volumes
        .alone(|| observer.waits_for_volumes())
        .map_err(VolumeError::Files)
}

/// Makes a volume of a tar file, or of a pipe that one comes from; or fills one that is there and that nobody has used.
/// `what` is for messages. It has all of it, or is as it was.
///
/// # Errors
/// [`VolumeError::NotNew`], or what is wrong with the archive.
pub fn import(
    engine: &Engine,
    name: &NamedVolumeName,
    archive: File,
    what: &Path,
    interrupt: &Interrupt,
) -> Result<(), Error> {
    let volumes = engine.volumes();
    let pin = volumes.pin().map_err(VolumeError::Files)?;
    let limits = Config::read(&engine.directories)?.limits();
    let unpack = |archive: File, dest: &Path| {
        tree::unpack(archive, what, dest, &limits, interrupt)
            .map_err(|error| not_tar(error, what))?;
        let label = selinux::shared_label(&engine.directories)?;
        label.map_or(Ok(()), |label| selinux::relabel(dest, &label))
    };
    let Some(volume) = volumes.get(name).map_err(VolumeError::Files)? else {
        let exists = || VolumeError::Exists(name.clone());
        let new = NewVolume::called(name.clone());
        let unfinished = volumes.begin(new, &pin).map_err(VolumeError::Files)?;
        // Whoever is about another volume does not wait for where this one comes from.
        drop(pin);
        let filled = unfinished.ok_or_else(exists)?.fill(|dest| {
            // Until it has its name, nothing of the volume is anywhere else.
            interrupt.staged(dest.parent().unwrap_or(dest));
            unpack(archive, dest)
        })?;
        let pin = volumes.pin().map_err(VolumeError::Files)?;
        let made = filled.publish(&pin).map_err(VolumeError::Files)?;
        // Another command may have been faster, and the archive is read.
        return made.map(drop).ok_or_else(|| exists().into());
    };
    let first = match volume.claim(&pin).map_err(VolumeError::Files)? {
        Claim::Busy => return Err(VolumeError::Held(name.clone()).into()),
        Claim::UsedBefore => return Err(VolumeError::NotNew(name.clone()).into()),
        Claim::First(first) => first,
    };
    // Nobody waits for where the archive comes from.
    let held = volume.hold_alone(&pin).map_err(VolumeError::Files)?;
    let Some(_held) = held else {
        return Err(VolumeError::Held(name.clone()).into());
    };
    drop(pin);
    let filled = first.fill(|dest| {
        interrupt.staged(dest);
        std::fs::create_dir(dest).map_err(PodError::io("create", dest))?;
        unpack(archive, dest)?;
        Ok::<_, Error>(true)
    })?;
    match filled {
        FirstUse::Filled => Ok(()),
        FirstUse::Empty | FirstUse::HadFiles => Err(VolumeError::NotNew(name.clone()).into()),
    }
}

/// What is no tar file is not called a corrupt one: somebody may have named the wrong file.
fn not_tar(error: StoreError, what: &Path) -> StoreError {
    match error {
        StoreError::Content(ContentError::CorruptLayer { reason, .. }) => {
            StoreError::BrokenSource {
                origin: what.display().to_string(),
                reason: format!("it is not a tar file, or a corrupt one: {reason}"),
            }
        }
        other => other,
    }
}

/// Removes what those have left who were killed while they made, filled or removed a volume, unless somebody does so now.
///
/// # Errors
/// If something can't be removed.
pub fn sweep(engine: &Engine) -> Result<(), Error> {
    let volumes = engine.volumes();
    let alone = match volumes.alone_now() {
        Err(PodError::Io { source, .. }) if source.kind() == std::io::ErrorKind::WouldBlock => None,
        other => other.map_err(VolumeError::Files)?,
    };
    let Some(alone) = alone else {
        return Ok(());
    };
    let left = volumes.left(&alone).map_err(VolumeError::Files)?;
    drop(alone);
    for left in left {
        left.remove().map_err(VolumeError::Files)?;
    }
    // Who makes one meanwhile has an ID whose volume is not there yet.
    match volumes.alone_now() {
        Ok(Some(alone)) => Ok(volumes
            .release_projects(&alone)
            .map_err(VolumeError::Files)?),
        Ok(None) => Ok(()),
        Err(PodError::Io { source, .. }) if source.kind() == std::io::ErrorKind::WouldBlock => {
            Ok(())
        }
        Err(error) => Err(VolumeError::Files(error).into()),
    }
}
