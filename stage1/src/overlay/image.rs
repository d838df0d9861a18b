//! The files of an image as a mount of their own, which nobody can change.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use image_name::Digest;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::directories::Directories;
use super::{mount, path_of, takes_detached_layers};
use crate::pod_ids::PodIds;

/// Mounts what layers, base first, show together. It is attached to nothing. With `ids`, the owners of files are users of
/// that pod.
///
/// # Errors
/// The system's answer: `ENOENT` if a layer is not in the store, `EINVAL` if there is none.
pub(crate) fn files_of(
    layers_dir: &Path,
    layers: &[Digest],
    ids: Option<&PodIds>,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let all_layers = openat(CWD, layers_dir, flags, Mode::empty())?;
    let path = |all: &OwnedFd, layer: &Digest| format!("{}/{}/fs", path_of(all), layer.hex());
    match layers {
        [] => Err(Errno::INVAL),
        // overlayfs wants two, and one needs no overlay. Nobody writes to a layer: the mount is read-only.
        [only] => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let copy = open_tree(CWD, path(&all_layers, only), flags)?;
            ids.map_or(Ok(()), |ids| ids.map(copy.as_fd(), false))?;
            Ok(copy)
        }
        layers => {
            let mapped = ids.map(|ids| ids.copy(all_layers.as_fd())).transpose()?;
            let all = mapped.as_ref().unwrap_or(&all_layers);
            let lower = layers.iter().rev().map(|layer| path(all, layer)).collect();
            let is_attached = mapped.is_some() && !takes_detached_layers();
            let directories = Directories {
                lower,
                changes: None,
                lower_is_attached: is_attached,
            };
            match (&mapped, is_attached) {
                (Some(mapped), true) => mount(&directories, std::slice::from_ref(mapped)),
                _ => mount(&directories, &[]),
            }
        }
    }
}
