//! An image, mounted.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;

use image_erofs::{Attributes, ErofsError, Writer};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// An image and where it is mounted; unmounted when this is dropped.
pub(crate) struct Mounted {
    folder: tempfile::TempDir,
}

/// Writes an image with such a root.
pub(crate) fn write(
    path: &Path,
    root: &Attributes<'_>,
    fill: impl FnOnce(&mut Writer) -> Result<(), ErofsError>,
) -> Result<Vec<u8>, ErofsError> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap();
    let mut writer = Writer::new(file, root)?;
    fill(&mut writer)?;
    let mut file = writer.finish()?;
    let mut bytes = Vec::new();
    // Large ones are mostly holes.
    if file.metadata().unwrap().len() < 64 << 20 {
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
    }
    Ok(bytes)
}

impl Mounted {
    /// Writes an image, has it checked, and mounts it.
    pub(crate) fn new(
        root: &Attributes<'_>,
        fill: impl FnOnce(&mut Writer) -> Result<(), ErofsError>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        write(&image, root, fill).unwrap();
        let checked = Command::new("fsck.erofs").arg(&image).output();
        let checked = checked.expect("fsck.erofs is not installed: run tests/prepare-machine");
        assert!(checked.status.success(), "{checked:?}");
        let mounted = Self { folder };
        std::fs::create_dir(mounted.path()).unwrap();
        let flags = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID;
        mount(&image, mounted.path(), "erofs", flags, None).expect("mount the image");
        mounted
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // It is not there if it could not be mounted.
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}
