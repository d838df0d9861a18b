//! The files of an image as a mount of their own, which nobody can change.

use std::os::fd::OwnedFd;
use std::path::Path;

use image_name::Digest;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::directories::Directories;
use super::{mount, path_of};

/// Mounts what layers, base first, show together. It is attached to nothing.
///
/// # Errors
/// The system's answer: `ENOENT` if a layer is not in the store, `EINVAL` if there is none.
pub(crate) fn files_of(layers_dir: &Path, layers: &[Digest]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let all_layers = openat(CWD, layers_dir, flags, Mode::empty())?;
    let path = |layer: &Digest| format!("{}/{}/fs", path_of(&all_layers), layer.hex());
    match layers {
        [] => Err(Errno::INVAL),
        // overlayfs wants two, and one needs no overlay. Nobody writes to a layer: the mount is read-only.
        [only] => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            open_tree(CWD, path(only), flags)
        }
        layers => mount(&Directories {
            lower: layers.iter().rev().map(path).collect(),
            changes: None,
        }),
    }
}
