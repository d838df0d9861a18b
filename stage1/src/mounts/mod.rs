//! Volumes and temporary filesystems of apps: mounts that are attached to nothing yet.
//!
//! They are made outside of the pod, where the host's files can be named, and handed over by descriptor. Nothing of them is
//! seen in the host's mount table, and nothing is left of them when the last process of the pod has gone.

mod attributes;
mod memory;
mod propagation;
mod source;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pod::manifest::{
    Medium, Mount, MountOption, MountSource, Volume, VolumeName, VolumeSource, empty_volume_dir,
};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use self::attributes::{Attributes, Propagation};
use self::memory::MemoryFilesystem;
use self::source::{copy_of, within};
use crate::failure::StartFailure;
use crate::pod_ids::{self, PodIds};
use crate::sys::{self, MountChange};

/// A mount is to spread what the one of its source doesn't.
const NOT_SHARED: Errno = Errno::OPNOTSUPP;

/// The volumes of a pod, as far as they have been needed.
#[derive(Debug)]
pub struct Volumes {
    volumes: Vec<Volume>,
    pod_dir: PathBuf,
    /// Those in memory, which exist as long as this does or somebody has them mounted.
    memory: BTreeMap<VolumeName, MemoryFilesystem>,
    /// In a user namespace: whose files those of the volumes are.
    ids: Option<Arc<PodIds>>,
}

impl Volumes {
    /// Those of a pod with this directory, and with `ids` if it is in a user namespace.
    pub fn new(volumes: &[Volume], pod_dir: &Path, ids: Option<Arc<PodIds>>) -> Self {
        Self {
            volumes: volumes.to_vec(),
            pod_dir: pod_dir.to_path_buf(),
            memory: BTreeMap::new(),
            ids,
        }
    }

    /// Makes a mount of an app.
    ///
    /// # Errors
    /// What failed, for which volume or place.
    pub fn mount(&mut self, mount: &Mount) -> Result<OwnedFd, StartFailure> {
        let attributes = Attributes::of(&mount.options);
        match &mount.source {
            MountSource::Tmpfs { size, mode } => {
                let what = format!("mount memory on {}", mount.destination);
                let owner = self.ids.as_ref().map(|ids| ids.root());
                let made =
                    memory::detached(*size, *mode, owner).map_err(StartFailure::os(&what))?;
                set(made.as_fd(), &attributes).map_err(StartFailure::os(what))?;
                Ok(made)
            }
            MountSource::Host { path } => {
                let what = format!("mount {} on {}", path.display(), mount.destination);
                let made = of_path(path, None, &attributes).map_err(failed(&what))?;
                self.map(made.as_fd(), &attributes, path, &what)?;
                set(made.as_fd(), &attributes).map_err(StartFailure::os(what))?;
                Ok(made)
            }
            MountSource::Volume { name, sub_path } => {
                self.mount_volume(name, sub_path.as_deref(), &mount.options)
            }
        }
    }

    fn mount_volume(
        &mut self,
        name: &VolumeName,
        sub_path: Option<&str>,
        options: &[MountOption],
    ) -> Result<OwnedFd, StartFailure> {
        let mut attributes = Attributes::of(options);
        let volume = self.volumes.iter().find(|volume| volume.name == *name);
        let volume = volume
            .ok_or_else(|| StartFailure::other(format!("the pod has no volume called {name}")))?;
        if is_in_memory(volume) && !options.contains(&MountOption::Exec) {
            attributes.all |= libc::MOUNT_ATTR_NOEXEC;
        }
        if volume.read_only {
            attributes.all |= libc::MOUNT_ATTR_RDONLY;
        }
        let what = match &volume.source {
            VolumeSource::Host { path } => format!("mount {} of the host", path.display()),
            _ => format!("mount the volume {name}"),
        };
        let what = match sub_path {
            Some(sub_path) => format!("{what}: {sub_path} in it"),
            None => what,
        };
        let made = match &volume.source {
            VolumeSource::Host { path } => of_path(path, sub_path, &attributes),
            VolumeSource::Empty {
                medium: Medium::Disk,
                ..
            } => of_path(
                &empty_volume_dir(&self.pod_dir, name),
                sub_path,
                &attributes,
            ),
            VolumeSource::Empty {
                medium: Medium::Memory,
                size,
            } => {
                let filesystem = match self.memory.remove(name) {
                    Some(filesystem) => Ok(filesystem),
                    None => {
                        let owner = self.ids.as_ref().map(|ids| ids.root());
                        MemoryFilesystem::new(*size, owner)
                    }
                };
                filesystem.and_then(|filesystem| {
                    let filesystem = self.memory.entry(name.clone()).or_insert(filesystem);
                    filesystem.copy(sub_path, &attributes)
                })
            }
            VolumeSource::Image { .. } => Err(Errno::NOSYS),
        };
        let made = made.map_err(failed(&what))?;
        match &volume.source {
            VolumeSource::Host { path } => self.map(made.as_fd(), &attributes, path, &what)?,
            VolumeSource::Empty {
                medium: Medium::Disk,
                ..
            } => self.map(made.as_fd(), &attributes, &self.pod_dir, &what)?,
            // It has been made for the pod's users.
            VolumeSource::Empty { .. } | VolumeSource::Image { .. } => {}
        }
        set(made.as_fd(), &attributes).map_err(StartFailure::os(what))?;
        Ok(made)
    }

    /// In a user namespace, has the files of a mount belong to the same users and groups in the pod as on their filesystem.
    fn map(
        &self,
        mount: BorrowedFd<'_>,
        attributes: &Attributes,
        source: &Path,
        what: &str,
    ) -> Result<(), StartFailure> {
        let Some(ids) = self.ids.as_ref().filter(|_| attributes.idmap) else {
            return Ok(());
        };
        match ids.map(mount, attributes.recursive) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL) => {
                let below = match attributes.recursive {
                    true => ", or one that is mounted below it (`bind` leaves those out)",
                    false => "",
                };
                Err(StartFailure::other(format!(
                    "cannot {what} for the users of the pod: {}{below}; the option `noidmap` mounts it with the \
                     host's users, of which the pod has none",
                    pod_ids::unfit_at(source)
                )))
            }
            Err(errno) => Err(StartFailure::os(what)(errno)),
        }
    }
}

fn failed(what: &str) -> impl FnOnce(Errno) -> StartFailure {
    move |errno| match errno {
        NOT_SHARED => StartFailure::other(format!(
            "cannot {what}: `rshared` needs a source on a shared mount (mount --make-shared)"
        )),
        Errno::XDEV => StartFailure::other(format!("cannot {what}: it leads out of the volume")),
        errno => StartFailure::os(what)(errno),
    }
}

/// Whether it is a filesystem in memory, where programs are executed only if that is said.
fn is_in_memory(volume: &Volume) -> bool {
    let VolumeSource::Empty { medium, .. } = &volume.source else {
        return false;
    };
    *medium == Medium::Memory
}

/// A copy of what is mounted at a path of the host, or of a path within that.
fn of_path(path: &Path, sub_path: Option<&str>, attributes: &Attributes) -> Result<OwnedFd, Errno> {
    let source = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let source = within(source, sub_path)?;
    if attributes.propagation == Propagation::Shared && !propagation::is_shared(&source)? {
        // What the app mounts could not be seen anywhere else.
        return Err(NOT_SHARED);
    }
    copy_of(source.as_fd(), attributes.recursive)
}

/// Gives a mount that nobody sees yet its attributes.
fn set(mount: BorrowedFd<'_>, attributes: &Attributes) -> Result<(), Errno> {
    let propagation = match attributes.propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Slave => libc::MS_SLAVE,
        // It is one already.
        Propagation::Shared => 0,
    };
    let change = MountChange {
        set: attributes.all,
        clear: attributes.clear,
        propagation,
    };
    sys::change_mount(mount, &change, true)?;
    match attributes.top {
        0 => Ok(()),
        top => sys::mount_setattr(mount, top, false),
    }
}
