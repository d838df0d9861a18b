//! Volumes that are kept with the pod, and go with it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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

/// The directories of those volumes.
pub fn directories<'a>(
    pod_dir: &'a Path,
    volumes: &'a [Volume],
) -> impl Iterator<Item = PathBuf> + 'a {
    let on_disk = volumes.iter().filter(|volume| {
        let source = &volume.source;
        matches!(source, VolumeSource::Empty { medium, .. } if *medium == Medium::Disk)
    });
    on_disk.map(|volume| empty_volume_dir(pod_dir, &volume.name))
}

fn make(path: &Path, mode: u32) -> Result<(), PodError> {
    let made = DirBuilder::new().mode(mode).create(path);
    made.map_err(PodError::io("create", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn empty(name: &str, medium: Medium) -> Volume {
        Volume {
            name: name.parse().unwrap(),
            source: VolumeSource::Empty {
                medium,
                size: None,
                ownership: crate::named_volumes::Ownership::default(),
            },
            read_only: false,
        }
    }

    #[test]
    fn only_what_is_kept_with_the_pod_on_disk_has_a_directory() {
        let pod = tempfile::tempdir().unwrap();
        let of_the_host = Volume {
            name: "host".parse().unwrap(),
            source: VolumeSource::Host {
                path: "/srv".into(),
                non_recursive: false,
                kind: None,
            },
            read_only: false,
        };
        let elsewhere = [of_the_host, empty("memory", Medium::Memory)];
        make_all(pod.path(), &elsewhere).unwrap();
        assert!(!pod.path().join("volumes").exists());
        let [one, two] = ["one", "two"].map(|name| empty(name, Medium::Disk));
        let all = [&elsewhere[..], &[one, two]].concat();
        make_all(pod.path(), &all).unwrap();
        let mode = |path: &str| {
            let found = std::fs::metadata(pod.path().join(path)).unwrap();
            found.mode() & 0o777
        };
        assert_eq!(mode("volumes"), 0o700);
        let expected = ["one", "two"].map(|name| pod.path().join("volumes").join(name));
        assert!(directories(pod.path(), &all).eq(expected));
        assert_eq!((mode("volumes/one"), mode("volumes/two")), (0o755, 0o755));
        let count = std::fs::read_dir(pod.path().join("volumes"))
            .unwrap()
            .count();
        assert_eq!(count, 2);
        // One that is there may hold another's files.
        let error = make_all(pod.path(), &all).unwrap_err().to_string();
        assert!(error.contains("volumes"), "{error}");
    }
}
