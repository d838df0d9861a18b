//! The files of an image as a mount of their own, which nobody can change.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use image_name::Digest;
use pod::selinux::Context;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::directories::Directories;
use super::{mount, path_of, takes_detached_layers};
use crate::pod_ids::PodIds;

/// A label of SELinux for the files of an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) label: &'a Context,
    /// The pod's directory.
    pub(crate) pod: &'a Path,
}

impl Label<'_> {
    /// An empty directory, by a path that leads there from any mount namespace.
    fn empty_directory(self) -> Result<String, Errno> {
        let path = self.pod.join("empty");
        match mkdirat(CWD, &path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let whole = fs::canonicalize(&path)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        whole
            .into_os_string()
            .into_string()
            .map_err(|_| Errno::ILSEQ)
    }
}

/// Mounts what layers, base first, show together. It is attached to nothing. With `ids`, the owners of files are users of
/// that pod. With `label`, all files have it.
///
/// # Errors
/// The system's answer: `ENOENT` if a layer is not in the store, `EINVAL` if there is none.
pub(crate) fn files_of(
    layers_dir: &Path,
    layers: &[Digest],
    ids: Option<&PodIds>,
    label: Option<Label<'_>>,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let all_layers = openat(CWD, layers_dir, flags, Mode::empty())?;
    let path = |all: &OwnedFd, layer: &Digest| format!("{}/{}/fs", path_of(all), layer.hex());
    match (layers, &label) {
        ([], _) => Err(Errno::INVAL),
        // overlayfs wants two, and one needs no overlay. Nobody writes to a layer: the mount is read-only.
        ([only], None) => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let copy = open_tree(CWD, path(&all_layers, only), flags)?;
            ids.map_or(Ok(()), |ids| ids.map(copy.as_fd(), false))?;
            Ok(copy)
        }
        (layers, label) => {
            let mapped = ids.map(|ids| ids.copy(all_layers.as_fd())).transpose()?;
            let all = mapped.as_ref().unwrap_or(&all_layers);
            let lower = layers.iter().rev().map(|layer| path(all, layer));
            // Only an overlay can have other labels than the layer's.
            let second = match (layers, label) {
                ([_], Some(label)) => Some(label.empty_directory()?),
                _ => None,
            };
            let lower = lower.chain(second).collect();
            let is_attached = mapped.is_some() && !takes_detached_layers();
            let directories = Directories {
                lower,
                earlier: None,
                changes: None,
                lower_is_attached: is_attached,
                label: label.as_ref().map(|label| label.label.clone()),
            };
            match (&mapped, is_attached) {
                (Some(mapped), true) => mount(&directories, std::slice::from_ref(mapped)),
                _ => mount(&directories, &[]),
            }
        }
    }
}
