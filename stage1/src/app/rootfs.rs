//! An app's root filesystem: an overlay of its image's layers and a folder of its own for changes,
//! mounted but attached to nothing, and paths inside of it, resolved as the app will see them.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, chownat, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, open_tree,
    unmount,
};

use rustix::process::fchdir;
use rustix::system::uname;

use crate::app::accounts::Accounts;
use crate::app::resolve::{IN_ROOT, STRICT, open_within};
use crate::failure::StartFailure;

/// Largest account file of an image that is read, in bytes.
const ACCOUNT_FILE_MAX: u64 = 4 << 20;

/// Where pod init's root is attached until it is entered: any folder that is sure to exist.
pub(crate) const POD_ROOT: &str = "/sys";
/// The lowest layer of every app: the folders and files that are mounted on. They are in memory, so that
/// an image that lacks them costs no write to the disk.
const MOUNT_POINTS: &str = "/sys/mount-points";

/// Where layers and changes are found.
#[derive(Debug)]
pub(crate) struct Storage {
    /// Folder of unpacked layers.
    pub(crate) layers: OwnedFd,
    /// The pod's folder.
    pub(crate) pod: OwnedFd,
    /// Whether changes are thrown away at the end.
    pub(crate) discard_changes: bool,
}

/// A root filesystem that is attached to nothing yet.
#[derive(Debug)]
pub(crate) struct RootFs(pub(crate) OwnedFd);

impl Storage {
    /// Opens both folders, which must still be visible.
    pub(crate) fn open(
        layers: &Path,
        pod: &Path,
        discard_changes: bool,
    ) -> Result<Self, StartFailure> {
        let open = |path: &Path| {
            openat(
                CWD,
                path,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .map_err(StartFailure::os(format_args!("open {}", path.display())))
        };
        Ok(Self {
            layers: open(layers)?,
            pod: open(pod)?,
            discard_changes,
        })
    }

    /// Mounts the overlay of an app: `layers` are diff IDs (`sha256:HEX`), base first.
    pub(crate) fn overlay(&self, app: &str, layers: &[String]) -> Result<RootFs, StartFailure> {
        let what = format!("mount the root filesystem of app {app}");
        // Short paths that hold nothing to escape, whatever the folders are called: relative to the
        // working directory and to an open descriptor.
        fchdir(&self.layers).map_err(StartFailure::os(&what))?;
        let own = format!("/proc/self/fd/{}/apps/{app}", self.pod.as_raw_fd());
        let mut lower = Vec::with_capacity(layers.len());
        for layer in layers.iter().rev() {
            let hex = layer.strip_prefix("sha256:").filter(|hex| {
                hex.len() == 64
                    && hex
                        .bytes()
                        .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
            });
            let hex =
                hex.ok_or_else(|| StartFailure::other(format!("`{layer}` is not a diff ID")))?;
            lower.push(format!("{hex}/fs"));
        }
        lower.push(MOUNT_POINTS.to_owned());
        let mounted = if knows_layer_by_layer() {
            self.by_context(&lower, &own)
        } else {
            self.by_mount(&lower, &own)
        };
        mounted.map(RootFs).map_err(|errno| {
            let missing = layers
                .iter()
                .zip(lower.iter().rev().skip(1))
                .find(|(_, path)| !Path::new(path).is_dir());
            match missing {
                Some((layer, _)) => StartFailure::other(format!(
                    "cannot {what}: the layer {layer} is not in the store; fetch the image again"
                )),
                None => StartFailure::other(format!("cannot {what}: {errno}")),
            }
        })
    }

    fn by_context(&self, lower: &[String], own: &str) -> Result<OwnedFd, Errno> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for path in lower {
            fsconfig_set_string(context.as_fd(), "lowerdir+", path)?;
        }
        fsconfig_set_string(context.as_fd(), "upperdir", format!("{own}/upper"))?;
        fsconfig_set_string(context.as_fd(), "workdir", format!("{own}/work"))?;
        for (key, value) in HARDENING {
            fsconfig_set_string(context.as_fd(), key, value)?;
        }
        if self.discard_changes {
            fsconfig_set_flag(context.as_fd(), "volatile")?;
        }
        fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    }

    /// As [`Storage::by_context`], for kernels that take all layers in one option.
    fn by_mount(&self, lower: &[String], own: &str) -> Result<OwnedFd, Errno> {
        // mount(2) takes one page of options, which the digests of some fifty layers fill. The
        // numbers of open descriptors, seen from their folder, are short enough for the 500
        // layers that overlayfs takes.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &String| openat(&self.layers, path.as_str(), flags, Mode::empty());
        let layers: Vec<OwnedFd> = lower.iter().map(open).collect::<Result<_, _>>()?;
        let numbers: Vec<String> = layers.iter().map(|l| l.as_raw_fd().to_string()).collect();
        let mut data = format!(
            "lowerdir={},upperdir={own}/upper,workdir={own}/work",
            numbers.join(":")
        );
        for (key, value) in HARDENING {
            data.push_str(&format!(",{key}={value}"));
        }
        if self.discard_changes {
            data.push_str(",volatile");
        }
        let data = CString::new(data).map_err(|_| Errno::INVAL)?;
        let descriptors = openat(CWD, "/proc/self/fd", flags, Mode::empty())?;
        fchdir(&descriptors)?;
        // Any folder will do: the mount is taken off again at once.
        let mounted = mount(
            "overlay",
            "/proc",
            "overlay",
            MountFlags::NODEV,
            data.as_c_str(),
        );
        fchdir(&self.layers)?;
        mounted?;
        let tree = open_tree(
            CWD,
            "/proc",
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
        );
        unmount("/proc", UnmountFlags::DETACH)?;
        tree
    }
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

/// Nothing that a layer's extended attributes say may lead outside of it.
const HARDENING: [(&str, &str); 3] = [
    ("redirect_dir", "nofollow"),
    ("metacopy", "off"),
    ("index", "off"),
];

impl RootFs {
    /// Makes sure that `name` in the root is a folder and not a link to one elsewhere.
    pub(crate) fn mount_point(&self, name: &str) -> Result<(), StartFailure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open_within(&self.0, name, flags, Mode::empty(), STRICT) {
            Ok(_) => Ok(()),
            Err(Errno::NOENT) => mkdirat(&self.0, name, Mode::from_raw_mode(0o755)).map_err(
                StartFailure::os(format_args!("make /{name} in the app's root")),
            ),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(StartFailure::other(format!(
                "/{name} in the image is a link or a file, where a folder is needed to mount on"
            ))),
            Err(errno) => Err(StartFailure::os(format_args!(
                "open /{name} in the app's root"
            ))(errno)),
        }
    }

    /// Makes sure that there is a file at `path` to mount on. `false` if the image has something else there.
    pub(crate) fn mount_file(&self, path: &str) -> Result<bool, StartFailure> {
        let found = match open_within(&self.0, path, OFlags::PATH, Mode::empty(), IN_ROOT) {
            Err(Errno::NOENT) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK;
                open_within(&self.0, path, flags, Mode::from_raw_mode(0o644), IN_ROOT)
            }
            found => found,
        };
        match found.and_then(fstat) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
            // A link into nowhere, a loop, a folder, a path through a file.
            Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NOTDIR | Errno::NXIO) => {
                Ok(false)
            }
            Err(errno) => Err(StartFailure::os(format_args!(
                "open /{path} in the app's root"
            ))(errno)),
        }
    }

    /// Makes the working directory if the image lacks it, owned by the app's user.
    pub(crate) fn workdir(&self, path: &str, uid: u32, gid: u32) -> Result<(), StartFailure> {
        let what = format!("make the working directory {path}");
        if !path.starts_with('/') {
            return Err(StartFailure::other(format!(
                "the working directory `{path}` is not absolute"
            )));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut so_far = String::new();
        for component in path.split('/').filter(|c| !c.is_empty()) {
            let parent = if so_far.is_empty() {
                "/".to_owned()
            } else {
                so_far.clone()
            };
            so_far = format!("{so_far}/{component}");
            match open_within(&self.0, so_far.as_str(), flags, Mode::empty(), IN_ROOT) {
                Ok(_) => {}
                Err(Errno::NOENT) => {
                    let parent =
                        open_within(&self.0, parent.as_str(), flags, Mode::empty(), IN_ROOT)
                            .map_err(StartFailure::os(&what))?;
                    mkdirat(&parent, component, Mode::from_raw_mode(0o755))
                        .map_err(StartFailure::os(&what))?;
                    let owner = (
                        rustix::fs::Uid::from_raw(uid),
                        rustix::fs::Gid::from_raw(gid),
                    );
                    chownat(
                        &parent,
                        component,
                        Some(owner.0),
                        Some(owner.1),
                        AtFlags::SYMLINK_NOFOLLOW,
                    )
                    .map_err(StartFailure::os(&what))?;
                }
                // A magic link of /proc, say: the app's own view decides when it gets there.
                Err(Errno::LOOP) => return Ok(()),
                Err(errno) => return Err(StartFailure::os(&what)(errno)),
            }
        }
        Ok(())
    }

    /// Reads the image's account files.
    pub(crate) fn accounts(&self) -> Result<Accounts, StartFailure> {
        Ok(Accounts {
            passwd: self.text("etc/passwd")?,
            group: self.text("etc/group")?,
        })
    }

    /// The text of a regular file of the image; empty if there is none.
    fn text(&self, path: &str) -> Result<String, StartFailure> {
        let what = format!("read the image's /{path}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match open_within(&self.0, path, flags, Mode::empty(), IN_ROOT) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
            Err(errno) => return Err(StartFailure::os(&what)(errno)),
        };
        let stat = fstat(&file).map_err(StartFailure::os(&what))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(StartFailure::other(format!(
                "cannot {what}: it is not a regular file"
            )));
        }
        let mut bytes = Vec::new();
        File::from(file)
            .take(ACCOUNT_FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(StartFailure::os(&what))?;
        if bytes.len() as u64 > ACCOUNT_FILE_MAX {
            return Err(StartFailure::other(format!(
                "cannot {what}: it is larger than 4 MiB"
            )));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
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
