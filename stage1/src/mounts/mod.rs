//! Volumes and temporary filesystems of apps: mounts that are attached to nothing yet.
//!
//! They are made outside of the pod, where the host's files can be named, and handed over by descriptor. Nothing of them is
//! seen in the host's mount table, and nothing is left of them when the last process of the pod has gone.

mod attributes;
pub(crate) mod credentials;
mod memory;
mod propagation;
mod source;
mod unseen;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pod::manifest::{
    ImageRecord, Medium, Mount, MountOption, MountSource, PodManifest, Volume, VolumeName,
    VolumeSource, empty_volume_dir,
};
use pod::named_volumes::{NamedVolumeName, Ownership, data_of, volumes_dir};
use pod::selinux::Context;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use self::attributes::{Attributes, Propagation};
use self::source::{copy_of, within};
use self::unseen::UnseenFilesystem;
use crate::app::resolve::{STRICT, open_within};
use crate::failure::StartFailure;
use crate::overlay::image::{Label, files_of};
use crate::pod_ids::{self, PodIds};
use crate::sys::{self, MountChange};

/// A mount is to spread what the one of its source doesn't.
const NOT_SHARED: Errno = Errno::OPNOTSUPP;

/// Where a pod's volumes are found.
#[derive(Debug, Clone)]
pub struct VolumePlaces {
    /// The pod's directory.
    pub pod: PathBuf,
    /// The data directory, with the volumes that outlive pods.
    pub data: PathBuf,
    /// The directory of unpacked layers.
    pub layers: PathBuf,
}

impl VolumePlaces {
    /// None: there is nothing but memory.
    pub(crate) fn none() -> Self {
        let nowhere = || PathBuf::from("/nonexistent");
        Self {
            pod: nowhere(),
            data: nowhere(),
            layers: nowhere(),
        }
    }
}

/// The volumes of a pod, as far as they have been needed.
#[derive(Debug)]
pub struct Volumes {
    volumes: Vec<Volume>,
    places: VolumePlaces,
    /// Those of filesystems of their own, which exist as long as this does or somebody has them mounted.
    own: BTreeMap<VolumeName, UnseenFilesystem>,
    /// In a user namespace: whose files those of the volumes are.
    ids: Option<Arc<PodIds>>,
    /// The label of SELinux of what the apps share.
    label: Option<Context>,
}

/// What is to be mounted of a volume, and how.
struct Wanted<'a> {
    sub_path: Option<&'a str>,
    attributes: &'a Attributes,
}

impl Volumes {
    /// Those of a pod, with `ids` if it is in a user namespace, and the label of what its apps share.
    pub fn new(
        volumes: &[Volume],
        places: VolumePlaces,
        ids: Option<Arc<PodIds>>,
        label: Option<Context>,
    ) -> Self {
        Self {
            volumes: volumes.to_vec(),
            places,
            own: BTreeMap::new(),
            ids,
            label,
        }
    }

    /// Knows a volume that an app brings along, too.
    pub(crate) fn add(&mut self, volume: Volume) {
        if !self.volumes.iter().any(|known| known.name == volume.name) {
            self.volumes.push(volume);
        }
    }

    /// Makes a mount of an app whose files have this label.
    ///
    /// # Errors
    /// What failed, for which volume or place.
    pub fn mount(
        &mut self,
        mount: &Mount,
        label: Option<&Context>,
    ) -> Result<OwnedFd, StartFailure> {
        let mut attributes = Attributes::of(&mount.options);
        let place = &mount.destination;
        // What has to be mapped, by its path on the host.
        let mut source = None;
        let (what, made) = match &mount.source {
            MountSource::Tmpfs {
                size,
                mode,
                uid,
                gid,
            } => {
                let (uid, gid, mode) = (*uid, *gid, *mode);
                let ownership = in_pod(self.ids.as_deref(), Ownership { uid, gid, mode });
                let made = ownership.and_then(|own| memory::detached(*size, own, label));
                (format!("mount memory on {place}"), made)
            }
            MountSource::Host { path } => {
                let what = format!("mount {} on {place}", path.display());
                source = Some(path.clone());
                (what, of_path(path, None, &attributes))
            }
            MountSource::Named { name, sub_path } => {
                let sub_path = sub_path.as_deref();
                let what = in_it(format!("mount the volume {name} on {place}"), sub_path);
                let attributes = &attributes;
                let wanted = Wanted {
                    sub_path,
                    attributes,
                };
                source = Some(volumes_dir(&self.places.data));
                (what, self.of_named(name, &wanted))
            }
            MountSource::Image { image, sub_path } => {
                attributes.all |= libc::MOUNT_ATTR_RDONLY;
                let sub_path = sub_path.as_deref();
                let what = format!("mount the image {} on {place}", image.reference);
                let layers = &*self.places.layers;
                let ids = self.ids.as_deref();
                let label = self.labelled(label);
                let files = || image_files(layers, image, ids, label);
                let made = match sub_path {
                    None => files(),
                    Some(_) => UnseenFilesystem::of(files)
                        .and_then(|filesystem| filesystem.copy(sub_path, &attributes)),
                };
                (in_it(what, sub_path), made)
            }
            MountSource::Notify | MountSource::Credentials { .. } => {
                return Err(StartFailure::other(format!(
                    "{place} is made by who starts the app"
                )));
            }
            MountSource::Volume { name, sub_path } => {
                return self.mount_volume(name, sub_path.as_deref(), &mount.options);
            }
        };
        let made = made.map_err(failed(&what))?;
        if let Some(source) = source {
            self.map(made.as_fd(), &attributes, &source, &what)?;
        }
        set(made.as_fd(), &attributes).map_err(StartFailure::os(what))?;
        Ok(made)
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
            .ok_or_else(|| StartFailure::other(format!("the pod has no volume called {name}")))?
            .clone();
        if is_in_memory(&volume) && !options.contains(&MountOption::Exec) {
            attributes.all |= libc::MOUNT_ATTR_NOEXEC;
        }
        if volume.read_only || matches!(volume.source, VolumeSource::Image { .. }) {
            attributes.all |= libc::MOUNT_ATTR_RDONLY;
        }
        if let VolumeSource::Host {
            non_recursive: true,
            ..
        } = volume.source
            && !options.contains(&MountOption::Rbind)
        {
            attributes.recursive = false;
        }
        let what = match &volume.source {
            VolumeSource::Host { path, .. } => format!("mount {} of the host", path.display()),
            _ => format!("mount the volume {name}"),
        };
        let what = in_it(what, sub_path);
        let wanted = Wanted {
            sub_path,
            attributes: &attributes,
        };
        if let VolumeSource::Empty { ownership, .. } | VolumeSource::Named { ownership, .. } =
            &volume.source
        {
            in_pod(self.ids.as_deref(), *ownership).map_err(failed(&what))?;
        }
        let made = match &volume.source {
            VolumeSource::Host { path, .. } => of_path(path, sub_path, &attributes),
            VolumeSource::Empty {
                medium: Medium::Disk,
                ..
            } => {
                let directory = empty_volume_dir(&self.places.pod, name);
                of_path(&directory, sub_path, &attributes)
            }
            VolumeSource::Named { volume, .. } => self.of_named(volume, &wanted),
            VolumeSource::Empty {
                medium: Medium::Memory,
                size,
                ownership,
            } => {
                let (ids, label) = (self.ids.clone(), self.label.clone());
                self.of_own(name, &wanted, || {
                    let ownership = in_pod(ids.as_deref(), *ownership)?;
                    memory::detached(*size, ownership, label.as_ref())
                })
            }
            VolumeSource::Image { image } => {
                let layers = self.places.layers.clone();
                let (ids, label) = (self.ids.clone(), self.label.clone());
                let pod = self.places.pod.clone();
                self.of_own(name, &wanted, || {
                    let label = label.as_ref().map(|label| Label { label, pod: &pod });
                    image_files(&layers, image, ids.as_deref(), label)
                })
            }
        };
        let made = made.map_err(failed(&what))?;
        let source = match &volume.source {
            VolumeSource::Host { path, .. } => Some(path.clone()),
            VolumeSource::Empty {
                medium: Medium::Disk,
                ..
            } => Some(self.places.pod.clone()),
            VolumeSource::Named { .. } => Some(volumes_dir(&self.places.data)),
            // They have been made for the pod's users.
            VolumeSource::Empty { .. } | VolumeSource::Image { .. } => None,
        };
        if let Some(source) = source {
            self.map(made.as_fd(), &attributes, &source, &what)?;
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
                     host's users, of which the pod has none, and --userns=host gives the pod the host's",
                    pod_ids::unfit_at(source)
                )))
            }
            Err(errno) => Err(StartFailure::os(what)(errno)),
        }
    }

    fn labelled<'a>(&'a self, label: Option<&'a Context>) -> Option<Label<'a>> {
        let pod = &*self.places.pod;
        label.map(|label| Label { label, pod })
    }

    /// A mount of a volume that outlives pods. Nothing on the way below the data directory is a link.
    fn of_named(&self, name: &NamedVolumeName, wanted: &Wanted<'_>) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let volumes = openat(CWD, volumes_dir(&self.places.data), flags, Mode::empty())?;
        let data = open_within(&volumes, &*data_of(name), flags, Mode::empty(), STRICT)?;
        of_open(data, wanted.sub_path, wanted.attributes)
    }

    /// A mount of a volume that is a filesystem of its own.
    fn of_own(
        &mut self,
        name: &VolumeName,
        wanted: &Wanted<'_>,
        make: impl FnOnce() -> Result<OwnedFd, Errno> + Send,
    ) -> Result<OwnedFd, Errno> {
        let filesystem = match self.own.remove(name) {
            Some(filesystem) => filesystem,
            None => UnseenFilesystem::of(make)?,
        };
        let filesystem = self.own.entry(name.clone()).or_insert(filesystem);
        filesystem.copy(wanted.sub_path, wanted.attributes)
    }
}

/// Whether what is mounted is in memory, or a socket.
pub fn is_memory(mount: &Mount, manifest: &PodManifest) -> bool {
    match &mount.source {
        MountSource::Tmpfs { .. } | MountSource::Notify | MountSource::Credentials { .. } => true,
        MountSource::Volume { name, .. } => {
            let mut volumes = manifest.volumes.iter();
            volumes.any(|volume| volume.name == *name && is_in_memory(volume))
        }
        _ => false,
    }
}

/// A mount of what was opened, with these options.
pub(crate) fn of_opened(source: &OwnedFd, options: &[MountOption]) -> Result<OwnedFd, Errno> {
    let attributes = Attributes::of(options);
    // What is mounted below it is found on the way.
    let mount = copy_of(source.as_fd(), false)?;
    set(mount.as_fd(), &attributes)?;
    Ok(mount)
}

fn in_it(what: String, sub_path: Option<&str>) -> String {
    match sub_path {
        Some(sub_path) => format!("{what}: {sub_path} in it"),
        None => what,
    }
}

fn image_files(
    layers: &Path,
    image: &ImageRecord,
    ids: Option<&PodIds>,
    label: Option<Label<'_>>,
) -> Result<OwnedFd, Errno> {
    files_of(layers, &image.layers, ids, label)
}

/// Whose a filesystem in memory is on the host: in a user namespace, the users of the pod are others there.
///
/// # Errors
/// EOVERFLOW, as chown(2) says it, if the pod has no such user or group.
fn in_pod(ids: Option<&PodIds>, ownership: Ownership) -> Result<Ownership, Errno> {
    let Some(ids) = ids else {
        return Ok(ownership);
    };
    let owner = ids.owner(ownership.uid, ownership.gid);
    let (uid, gid) = owner.ok_or(Errno::OVERFLOW)?;
    Ok(Ownership {
        uid: Some(uid),
        gid: Some(gid),
        ..ownership
    })
}

fn failed(what: &str) -> impl FnOnce(Errno) -> StartFailure {
    move |errno| match errno {
        NOT_SHARED => StartFailure::other(format!(
            "cannot {what}: `rshared` needs a source on a shared mount"
        )),
        Errno::OVERFLOW => StartFailure::other(format!(
            "cannot {what}: the pod's user namespace has no such user or group"
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
    of_open(source, sub_path, attributes)
}

/// A copy of what is mounted where something was opened, or of a path within that.
fn of_open(
    source: OwnedFd,
    sub_path: Option<&str>,
    attributes: &Attributes,
) -> Result<OwnedFd, Errno> {
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
