//! What is mounted in apps: whether there is what is asked for, and in which order.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pod::manifest::{Mount, MountSource, Volume, VolumeName, VolumeSource};

use crate::error::{Error, MountError};

/// Checks the volumes of a pod. `others` are the names of those that are not looked at yet.
///
/// # Errors
/// [`MountError`], of the first that can't be.
pub(super) fn check_volumes<'a>(
    volumes: &'a [Volume],
    others: impl Iterator<Item = &'a VolumeName>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for name in volumes.iter().map(|volume| &volume.name).chain(others) {
        if !seen.insert(name) {
            return Err(MountError::SameVolume(name.clone()).into());
        }
    }
    for volume in volumes {
        if let VolumeSource::Host { path, .. } = &volume.source {
            look_at(path)?;
        }
    }
    Ok(())
}

/// The mounts of an app in the order in which they are made: what lies within another one comes after it.
///
/// # Errors
/// [`MountError`], of the first that can't be.
pub(super) fn in_order(mut mounts: Vec<Mount>, volumes: &[Volume]) -> Result<Vec<Mount>, Error> {
    let mut places = BTreeSet::new();
    for mount in &mounts {
        if !places.insert(&mount.destination) {
            return Err(MountError::SamePlace(mount.destination.clone()).into());
        }
        match &mount.source {
            MountSource::Host { path } => look_at(path)?,
            MountSource::Volume { name, .. } => {
                if !volumes.iter().any(|volume| volume.name == *name) {
                    let (name, place) = (name.clone(), mount.destination.clone());
                    return Err(MountError::NoVolume { name, place }.into());
                }
            }
            MountSource::Named { .. }
            | MountSource::Image { .. }
            | MountSource::Notify
            | MountSource::Credentials { .. }
            | MountSource::Tmpfs { .. } => {}
        }
    }
    let depth = |mount: &Mount| {
        let parts = mount.destination.as_str().split('/');
        parts.filter(|part| !part.is_empty()).count()
    };
    mounts.sort_by_key(depth);
    Ok(mounts)
}

fn look_at(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path);
    found.map(drop).map_err(|source| {
        let path = path.to_path_buf();
        MountError::NoSource { path, source }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::{AppPath, Medium};
    use pod::named_volumes::Ownership;
    use std::path::PathBuf;

    fn mount(place: &str, source: MountSource) -> Mount {
        Mount {
            destination: AppPath::try_from(place.to_owned()).unwrap(),
            source,
            options: Vec::new(),
            uid_mappings: Vec::new(),
            gid_mappings: Vec::new(),
            relabel: None,
        }
    }

    fn memory(place: &str) -> Mount {
        let source = MountSource::Tmpfs {
            size: None,
            mode: None,
            uid: None,
            gid: None,
        };
        mount(place, source)
    }

    fn error<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_lies_within_another_mount_comes_after_it() {
        let asked = ["/a/b/c", "/z", "/a", "/a/b"].map(memory);
        let ordered = in_order(asked.into(), &[]).unwrap();
        let places: Vec<_> = ordered.iter().map(|m| m.destination.as_str()).collect();
        assert_eq!(places, ["/z", "/a", "/a/b", "/a/b/c"]);
    }

    #[test]
    fn what_can_not_be_is_told_by_name() {
        let twice = ["/a", "/a"].map(memory);
        assert_eq!(error(in_order(twice.into(), &[])), "two mounts on /a");
        let source = MountSource::Volume {
            name: "data".parse().unwrap(),
            sub_path: None,
        };
        let of_volume = mount("/srv", source);
        assert_eq!(
            error(in_order(vec![of_volume.clone()], &[])),
            "the pod has no volume called data, which was to be mounted on /srv"
        );
        let volume = Volume {
            name: "data".parse().unwrap(),
            source: VolumeSource::Empty {
                medium: Medium::Disk,
                size: None,
                ownership: Ownership::default(),
            },
            read_only: false,
        };
        in_order(vec![of_volume], std::slice::from_ref(&volume)).unwrap();
        assert_eq!(
            error(check_volumes(&[volume.clone(), volume], std::iter::empty())),
            "the pod has two volumes called data"
        );
        let path = PathBuf::from("/proc/none");
        let missing = in_order(vec![mount("/srv", MountSource::Host { path })], &[]);
        let told = error(missing);
        assert!(
            told.starts_with("cannot mount /proc/none: No such file"),
            "{told}"
        );
    }
}
