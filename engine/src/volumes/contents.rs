//! What is in a pod's volumes before it starts: files that are written for it, directories for parts that are mounted, and
//! whose all of it is.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use pod::manifest::{
    Medium, MountSource, PodManifest, Volume, VolumeName, VolumeSource, empty_volume_dir,
};
use pod::named_volumes::{NamedVolumeName, data_of, volumes_dir};

use super::group::give_group;
use super::sub_paths::make_below;
use crate::error::Error;
use crate::pods::spec::{VolumeFile, VolumeFiles, VolumeGroup};

/// What is in a pod's volumes before it starts.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Files, for volumes that are kept with the pod.
    pub(crate) files: Vec<VolumeFiles>,
    /// Whether directories are made for parts that are mounted.
    pub(crate) makes_sub_paths: bool,
    /// Whose all of it is.
    pub(crate) group: Option<VolumeGroup>,
    /// The volumes that outlive the pod and are that group's.
    pub(crate) grouped: Vec<NamedVolumeName>,
}

impl Contents {
    /// Makes it, in the pod's directory and in the volumes in the directory `data`.
    ///
    /// # Errors
    /// What can't be made.
    pub(crate) fn make(
        &self,
        pod_dir: &Path,
        data: &Path,
        manifest: &PodManifest,
    ) -> Result<(), Error> {
        for VolumeFiles { volume, files } in &self.files {
            let directory = empty_volume_dir(pod_dir, volume);
            files.iter().try_for_each(|file| write(&directory, file))?;
        }
        if let Some(group) = &self.group {
            for name in &self.grouped {
                give_group(&volumes_dir(data).join(data_of(name)), group)?;
            }
        }
        if self.makes_sub_paths {
            self.make_sub_paths(pod_dir, data, manifest)?;
        }
        Ok(())
    }

    fn make_sub_paths(
        &self,
        pod_dir: &Path,
        data: &Path,
        manifest: &PodManifest,
    ) -> Result<(), Error> {
        for mount in manifest.apps.iter().flat_map(|app| &app.mounts) {
            let MountSource::Volume {
                name,
                sub_path: Some(sub_path),
            } = &mount.source
            else {
                continue;
            };
            let mut volumes = manifest.volumes.iter();
            let volume = volumes.find(|volume| volume.name == *name);
            if let Some(root) = volume.and_then(|volume| self.root(volume, pod_dir, data)) {
                make_below(&root, sub_path)?;
            }
        }
        Ok(())
    }

    /// The directory of a volume in which something may be made.
    fn root(&self, volume: &Volume, pod_dir: &Path, data: &Path) -> Option<PathBuf> {
        let is_written = |name: &VolumeName| self.files.iter().any(|one| one.volume == *name);
        match &volume.source {
            VolumeSource::Host { path, .. } => Some(path.clone()),
            VolumeSource::Named { volume, .. } => Some(volumes_dir(data).join(data_of(volume))),
            VolumeSource::Empty {
                medium: Medium::Disk,
                ..
            } if !is_written(&volume.name) => Some(empty_volume_dir(pod_dir, &volume.name)),
            VolumeSource::Empty { .. } | VolumeSource::Image { .. } => None,
        }
    }
}

/// Writes one file into a directory that nobody else sees yet.
fn write(directory: &Path, file: &VolumeFile) -> Result<(), Error> {
    let path = directory.join(&file.path);
    let above = Path::new(&file.path).ancestors().skip(1);
    let above: Vec<_> = above.filter(|part| *part != Path::new("")).collect();
    for part in above.into_iter().rev() {
        let part = directory.join(part);
        match DirBuilder::new().mode(0o755).create(&part) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(Error::io("create", &part))?,
        }
        give(&part, file.gid, 0o755)?;
    }
    // Nobody reads it before it has its permissions.
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(0o600);
    let mut opened = new.open(&path).map_err(Error::io("create", &path))?;
    let written = opened.write_all(&file.bytes);
    written.map_err(Error::io("write", &path))?;
    give(&path, file.gid, file.mode)
}

fn give(path: &Path, gid: Option<u32>, mode: u32) -> Result<(), Error> {
    if gid.is_some() {
        chown(path, None, gid).map_err(Error::io("change the group of", path))?;
    }
    let permissions = Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).map_err(Error::io("change the mode of", path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn files_have_their_permissions_and_directories_above() {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, mode, gid| VolumeFile {
            path: path.to_owned(),
            bytes: b"secret".to_vec(),
            mode,
            gid,
        };
        write(dir.path(), &file("a/b/c", 0o440, Some(7))).unwrap();
        write(dir.path(), &file("a/d", 0o755, None)).unwrap();
        let of = |path: &str| {
            let found = fs::metadata(dir.path().join(path)).unwrap();
            (found.mode() & 0o7777, found.gid())
        };
        assert_eq!(of("a/b/c"), (0o440, 7));
        assert_eq!(of("a/b"), (0o755, 7));
        assert_eq!(of("a/d").0, 0o755);
        assert_eq!(fs::read(dir.path().join("a/b/c")).unwrap(), b"secret");
        let shown = format!("{:?}", file("x", 0, None));
        assert!(
            !shown.contains("115") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
