//! Root filesystems of apps: an overlay of an image's layers and a directory of the app's own for changes,
//! mounted but attached to nothing.
//!
//! They are made outside of the pod: who is inside of a user namespace can mount no overlay of the host's files.

mod by_mount;
mod directories;
pub(crate) mod image;
pub mod mount_points;
mod unseen;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_name::Digest;
use pod::AppName;
use pod::exit::FailureKind;
use pod::kernel::runs_on;
use pod::selinux::Context;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use self::by_mount::open_here;
use self::directories::{Changes, Directories, HARDENING};
use self::unseen::in_unseen_namespace;
use crate::app::detached::CONTEXT;
use crate::failure::StartFailure;
use crate::pod_ids::PodIds;

/// Where layers and changes are found.
#[derive(Debug)]
pub struct Storage {
    layers: OwnedFd,
    pod: OwnedFd,
    mount_points: OwnedFd,
    discard_changes: bool,
    /// In a user namespace: so that the owners of files in the layers are users of the pod.
    ids: Option<Arc<PodIds>>,
    /// Mapped mounts of layers and mount points. They are kept for all apps, where the kernel takes mounts that are
    /// attached to nothing; to close one takes long.
    mapped: Option<Mapped>,
}

/// What an overlay is for.
#[derive(Debug, Clone, Copy)]
enum Use {
    /// To be changed.
    Changes,
    /// To be looked at.
    View,
}

/// Mapped mounts that are attached to nothing.
#[derive(Debug)]
struct Mapped([OwnedFd; 2]);

/// The path of what an open descriptor refers to.
fn path_of(directory: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

impl Storage {
    /// Opens the directory of unpacked layers and the pod's. `mount_points` is the lowest layer of all
    /// ([`mount_points`]). `ids` are those of a pod in a user namespace.
    ///
    /// # Errors
    /// If one can't be opened, or its filesystem can't be mapped.
    pub fn open(
        layers: &Path,
        pod: &Path,
        mount_points: OwnedFd,
        discard_changes: bool,
        ids: Option<Arc<PodIds>>,
    ) -> Result<Self, StartFailure> {
        let mut storage = Self {
            layers: open_directory(layers)?,
            pod: open_directory(pod)?,
            mount_points,
            discard_changes,
            ids,
            mapped: None,
        };
        if takes_detached_layers() {
            storage.mapped = storage.map()?;
        }
        Ok(storage)
    }

    fn map(&self) -> Result<Option<Mapped>, StartFailure> {
        let Some(ids) = &self.ids else {
            return Ok(None);
        };
        let layers = ids.mapped(self.layers.as_fd(), "the image store")?;
        let mount_points = match ids.mapped(self.mount_points.as_fd(), "the runtime directory") {
            Ok(mapped) => mapped,
            // It is in memory, which can be mapped since Linux 6.3: then the pod has its own, beside its files.
            Err(_) => {
                let own = mount_points::open_or_make(Path::new(&path_of(&self.pod)))?;
                ids.mapped(own.as_fd(), "the pod's directory")?
            }
        };
        Ok(Some(Mapped([layers, mount_points])))
    }

    /// Mounts the overlay of an app: `layers` are diff IDs, base first. All files have this label, if one is given.
    ///
    /// # Errors
    /// What failed, for which app; a layer that is not there is named.
    pub fn overlay(
        &self,
        app: &AppName,
        layers: &[Digest],
        label: Option<&Context>,
    ) -> Result<OwnedFd, StartFailure> {
        self.overlay_for(Use::Changes, app, layers, label)
    }

    /// The same, of which nobody can change anything: any number of them may be mounted at a time.
    ///
    /// # Errors
    /// As [`Storage::overlay`].
    pub fn view(
        &self,
        app: &AppName,
        layers: &[Digest],
        label: Option<&Context>,
    ) -> Result<OwnedFd, StartFailure> {
        self.overlay_for(Use::View, app, layers, label)
    }

    fn overlay_for(
        &self,
        purpose: Use,
        app: &AppName,
        layers: &[Digest],
        label: Option<&Context>,
    ) -> Result<OwnedFd, StartFailure> {
        let what = format!("mount the root filesystem of app {app}");
        let own = format!("{}/apps/{app}", path_of(&self.pod));
        let fresh = match self.mapped {
            None => self.map()?,
            Some(_) => None,
        };
        let (all_layers, mount_points) = match self.mapped.as_ref().or(fresh.as_ref()) {
            Some(Mapped([layers, mount_points])) => (path_of(layers), path_of(mount_points)),
            None => (path_of(&self.layers), path_of(&self.mount_points)),
        };
        let mut lower = Vec::with_capacity(layers.len() + 1);
        for layer in layers.iter().rev() {
            lower.push(format!("{all_layers}/{}/fs", layer.hex()));
        }
        lower.push(mount_points);
        let upper = format!("{own}/upper");
        let (earlier, changes) = match purpose {
            Use::View => (Some(upper), None),
            Use::Changes => {
                let (work, discard) = (format!("{own}/work"), self.discard_changes);
                let changes = Changes {
                    upper,
                    work,
                    discard,
                };
                (None, Some(changes))
            }
        };
        let directories = Directories {
            lower,
            earlier,
            changes,
            lower_is_attached: fresh.is_some(),
            label: label.cloned(),
        };
        let attached = fresh.as_ref().map_or(&[][..], |Mapped(mounts)| mounts);
        mount(&directories, attached).map_err(|errno| {
            let lower = directories.lower.iter().rev().skip(1);
            let missing = layers
                .iter()
                .zip(lower)
                .find(|(_, path)| !Path::new(path).is_dir());
            match missing {
                Some((layer, _)) => StartFailure::other(format!(
                    "cannot {what}: the layer {layer} is not in the store"
                )),
                None => StartFailure {
                    kind: match errno {
                        // The overlay makes directories of its own.
                        Errno::NOSPC | Errno::DQUOT => FailureKind::NoSpace,
                        _ => FailureKind::Other,
                    },
                    message: format!("cannot {what}: {errno}"),
                },
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
    let directories = Directories {
        lower: vec![path_of(tree), path_of(mount_points)],
        earlier: None,
        changes: Some(Changes {
            upper: format!("{own}/upper"),
            work: format!("{own}/{work}"),
            discard: true,
        }),
        lower_is_attached: false,
        label: None,
    };
    mount(&directories, &[]).map_err(StartFailure::os(what))
}

/// `attached` are what has to be attached somewhere meanwhile.
fn mount(directories: &Directories, attached: &[OwnedFd]) -> Result<OwnedFd, Errno> {
    mount_as(knows_layer_by_layer(), directories, attached)
}

fn mount_as(
    by_layer: bool,
    directories: &Directories,
    attached: &[OwnedFd],
) -> Result<OwnedFd, Errno> {
    if by_layer && attached.is_empty() {
        return by_context(directories);
    }
    in_unseen_namespace(attached, || match by_layer {
        false => by_mount::attach_and_clone(directories),
        true => {
            // What a descriptor from before leads to is on a mount of another namespace.
            let reopened = directories.changes.as_ref().map(|changes| {
                let (upper, work) = (open_here(&changes.upper)?, open_here(&changes.work)?);
                Ok::<_, Errno>((upper, work, changes.discard))
            });
            let reopened = reopened.transpose()?;
            let earlier = directories.earlier.as_deref().map(open_here).transpose()?;
            by_context(&Directories {
                lower: directories.lower.clone(),
                earlier: earlier.as_ref().map(path_of),
                changes: reopened.as_ref().map(|(upper, work, discard)| Changes {
                    upper: path_of(upper),
                    work: path_of(work),
                    discard: *discard,
                }),
                lower_is_attached: directories.lower_is_attached,
                label: directories.label.clone(),
            })
        }
    })
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
    for path in directories.earlier.iter().chain(&directories.lower) {
        fsconfig_set_string(context.as_fd(), "lowerdir+", path)?;
    }
    for (key, value) in HARDENING {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    if let Some(label) = &directories.label {
        fsconfig_set_string(context.as_fd(), CONTEXT, label.to_string())?;
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
    runs_on((6, 8))
}

/// Whether layers of an overlay may be on mounts that are attached to nothing, as they may since Linux 6.15.
fn takes_detached_layers() -> bool {
    runs_on((6, 15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::UserNamespace;
    use rustix::fs::fstat;
    use std::fs;
    use std::io::Read;
    use std::process::{Command, Stdio};

    /// Those from 131072 on.
    fn some_ids() -> PodIds {
        let mut process = Command::new("unshare")
            .args(["--user", "sh", "-c", "echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        process
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0])
            .unwrap();
        let file = |name: &str| format!("/proc/{}/{name}", process.id());
        for map in ["gid_map", "uid_map"] {
            fs::write(file(map), "0 131072 65536").unwrap();
        }
        let namespace = fs::File::open(file("ns/user")).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        PodIds::new(namespace.into(), UserNamespace::of_block(131_072)).unwrap()
    }

    /// Needs root, as all tests that mount something.
    #[test]
    fn owners_in_layers_are_mapped_on_each_kernel() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in [
            "layers/one",
            "layers/two",
            "points",
            "pod/upper",
            "pod/work",
        ] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("layers/one/file"), "").unwrap();
        std::os::unix::fs::chown(path("layers/one/file"), Some(1000), Some(33)).unwrap();
        let ids = some_ids();
        let ways = [(true, false), (true, true), (false, true)];
        for (by_layer, is_attached) in ways {
            let sources = ["layers", "points"].map(|name| open_directory(&path(name)).unwrap());
            let [layers, points] = sources.map(|source| ids.mapped(source.as_fd(), "it").unwrap());
            let pod = open_directory(&path("pod")).unwrap();
            fs::remove_dir_all(path("pod/work")).unwrap();
            fs::create_dir(path("pod/work")).unwrap();
            let directories = Directories {
                lower: vec![
                    format!("{}/two", path_of(&layers)),
                    format!("{}/one", path_of(&layers)),
                    path_of(&points),
                ],
                earlier: None,
                changes: Some(Changes {
                    upper: format!("{}/upper", path_of(&pod)),
                    work: format!("{}/work", path_of(&pod)),
                    discard: false,
                }),
                lower_is_attached: is_attached,
                label: None,
            };
            let mapped = [layers, points];
            let attached = if is_attached { &mapped[..] } else { &[] };
            let root = mount_as(by_layer, &directories, attached).unwrap();
            let file = openat(&root, "file", OFlags::RDONLY, Mode::empty()).unwrap();
            let owner = fstat(&file).map(|stat| (stat.st_uid, stat.st_gid));
            assert_eq!(owner, Ok((132_072, 131_105)), "{by_layer} {is_attached}");
        }
        assert_eq!(fs::read_dir(path("pod/upper")).unwrap().count(), 0);
    }
}
