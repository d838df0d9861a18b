//! Root filesystems of apps: an overlay of an image's layers and a directory of the app's own for changes,
//! mounted but attached to nothing.
//!
//! They are made outside of the pod: who is inside of a user namespace can mount no overlay of the host's files.

mod by_mount;
mod directories;
pub(crate) mod image;
pub mod mount_points;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use image_name::Digest;
use pod::AppName;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};
use rustix::system::uname;

use self::directories::{Changes, Directories, HARDENING};
use crate::failure::StartFailure;

/// Where layers and changes are found.
#[derive(Debug)]
pub struct Storage {
    layers: OwnedFd,
    pod: OwnedFd,
    mount_points: OwnedFd,
    discard_changes: bool,
}

/// The path of what an open descriptor refers to.
fn path_of(directory: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

impl Storage {
    /// Opens the directory of unpacked layers and the pod's. `mount_points` is the lowest layer of all
    /// ([`mount_points`]).
    ///
    /// # Errors
    /// If one can't be opened.
    pub fn open(
        layers: &Path,
        pod: &Path,
        mount_points: OwnedFd,
        discard_changes: bool,
    ) -> Result<Self, StartFailure> {
        Ok(Self {
            layers: open_directory(layers)?,
            pod: open_directory(pod)?,
            mount_points,
            discard_changes,
        })
    }

    /// Mounts the overlay of an app: `layers` are diff IDs, base first.
    ///
    /// # Errors
    /// What failed, for which app; a layer that is not there is named.
    pub fn overlay(&self, app: &AppName, layers: &[Digest]) -> Result<OwnedFd, StartFailure> {
        let what = format!("mount the root filesystem of app {app}");
        let own = format!("{}/apps/{app}", path_of(&self.pod));
        let all_layers = path_of(&self.layers);
        let mut lower = Vec::with_capacity(layers.len() + 1);
        for layer in layers.iter().rev() {
            lower.push(format!("{all_layers}/{}/fs", layer.hex()));
        }
        lower.push(path_of(&self.mount_points));
        let directories = Directories {
            lower,
            changes: Some(Changes {
                upper: format!("{own}/upper"),
                work: format!("{own}/work"),
                discard: self.discard_changes,
            }),
        };
        mount(&directories).map_err(|errno| {
            let lower = directories.lower.iter().rev().skip(1);
            let missing = layers
                .iter()
                .zip(lower)
                .find(|(_, path)| !Path::new(path).is_dir());
            match missing {
                Some((layer, _)) => StartFailure::other(format!(
                    "cannot {what}: the layer {layer} is not in the store"
                )),
                None => StartFailure::other(format!("cannot {what}: {errno}")),
            }
        })
    }
}

/// Mounts the overlay of one app over one tree. Its changes are kept in `changes`, which is its own. `work` is a name in
/// there that no mount has used yet.
///
/// # Errors
/// What failed, for which app.
pub(crate) fn over_tree(
    app: &AppName,
    tree: &OwnedFd,
    mount_points: &OwnedFd,
    changes: &OwnedFd,
    work: &str,
) -> Result<OwnedFd, StartFailure> {
    let what = format!("mount the root filesystem of app {app}");
    for name in ["upper", work] {
        match mkdirat(changes, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(StartFailure::os(&what)(errno)),
        }
    }
    let own = path_of(changes);
    mount(&Directories {
        lower: vec![path_of(tree), path_of(mount_points)],
        changes: Some(Changes {
            upper: format!("{own}/upper"),
            work: format!("{own}/{work}"),
            discard: true,
        }),
    })
    .map_err(StartFailure::os(what))
}

fn mount(directories: &Directories) -> Result<OwnedFd, Errno> {
    match knows_layer_by_layer() {
        true => by_context(directories),
        false => by_mount::overlay(directories),
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, StartFailure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .map_err(StartFailure::os(format_args!("open {}", path.display())))
}

/// Where the tree of a layer is, below the directory of unpacked layers.
pub fn tree_of(layers: &Path, layer: &Digest) -> PathBuf {
    layers.join(layer.hex()).join("fs")
}

fn by_context(directories: &Directories) -> Result<OwnedFd, Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for path in &directories.lower {
        fsconfig_set_string(context.as_fd(), "lowerdir+", path)?;
    }
    for (key, value) in HARDENING {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    if let Some(changes) = &directories.changes {
        fsconfig_set_string(context.as_fd(), "upperdir", &changes.upper)?;
        fsconfig_set_string(context.as_fd(), "workdir", &changes.work)?;
        if changes.discard {
            fsconfig_set_flag(context.as_fd(), "volatile")?;
        }
    }
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Whether overlayfs has the option `lowerdir+`, as it does since Linux 6.8. An older kernel would
/// write an error to its log at each try.
fn knows_layer_by_layer() -> bool {
    uname().release().to_str().is_ok_and(is_6_8_or_newer)
}

fn is_6_8_or_newer(release: &str) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared_as_numbers() {
        for release in ["6.8.0", "6.18.44-cloud", "7.0-rc1", "10.2"] {
            assert!(is_6_8_or_newer(release), "{release}");
        }
        for release in ["6.1.0-56-cloud-amd64", "5.15.0", "6.7", "6", "", "x"] {
            assert!(!is_6_8_or_newer(release), "{release}");
        }
    }
}
