//! The root of pod init: a small filesystem with nothing of the host in it.
//!
//! | path | what |
//! |---|---|
//! | `/rootfs` | where each app attaches its root, in a mount namespace of its own |
//! | `/shm` | shared memory of all apps, seen as `/dev/shm` |
//! | `/empty` | stands for masked directories |
//! | `/etc/…` | hosts, hostname and resolv.conf of the pod |
//! | `/proc`, `/sys` | in a user namespace: the pod's own, without which the kernel would give apps none |
//! | `/machine`, `/proc` | in a machine of its own: what it has, for apps that come later |

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use pod::manifest::HostNamespace;
use pod::selinux::Context;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use crate::app::detached::{CONTEXT, mount_detached};
use crate::failure::StartFailure;
use crate::init::hosts_file::HostsFile;
use crate::protocol::{Names, Setup};
use crate::sys::{self, MountChange};

const FOLDERS: [&str; 4] = ["rootfs", "shm", "empty", "etc"];
/// Where the root is attached until it is entered: any directory that is sure to exist.
const PLACE: &str = "/sys";

/// The root, made but not entered.
#[derive(Debug)]
pub(crate) struct PodRoot {
    root: OwnedFd,
    /// What apps mount in a user namespace, which takes one that is seen in pod init's mount namespace.
    kept: &'static [(&'static str, &'static str)],
}

const PROC: (&str, &str) = ("proc", "proc");
const SYS: (&str, &str) = ("sysfs", "sys");

impl PodRoot {
    /// Makes the root and attaches it at [`PLACE`], over what the host has there. The isolator has
    /// cut this mount namespace off from the host's, so that nothing shows there.
    pub(super) fn attach(setup: &Setup) -> Result<Self, StartFailure> {
        let guarded = guarded();
        let label = setup.mount_label.as_ref().map(Context::to_string);
        let label = label.as_deref().map(|label| (CONTEXT, label));
        let mut root = vec![("mode", "755"), ("size", "8m"), ("nr_inodes", "64")];
        root.extend(label);
        let root = mount_detached("tmpfs", &root, guarded)?;
        let files = setup.memory_files.to_string();
        let size = setup.shm_size.map(|size| size.to_string());
        let size = size.as_deref().unwrap_or("64m");
        let mut shm = vec![("mode", "1777"), ("size", size), ("nr_inodes", &*files)];
        shm.extend(label);
        let shm = match setup.host_namespaces.contains(&HostNamespace::Ipc) {
            true => shm_of_host().map_err(StartFailure::os("clone the host's /dev/shm"))?,
            false => mount_detached("tmpfs", &shm, guarded)?,
        };
        for name in FOLDERS {
            mkdirat(&root, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
        }
        write_file(&root, "etc/hostname", &format!("{}\n", setup.hostname))?;
        // Apps' roots are made with these files as mounts, before it is known what they say.
        write_file(&root, "etc/hosts", "")?;
        write_file(&root, "etc/resolv.conf", "")?;
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(root.as_fd(), "", CWD, PLACE, whole).map_err(failed)?;
        move_mount(shm.as_fd(), "", root.as_fd(), "shm", whole).map_err(failed)?;
        let kept: &[_] = match (&setup.user_namespace, setup.owns_network) {
            (None, _) => &[],
            (Some(_), true) => &[PROC, SYS],
            (Some(_), false) => &[PROC],
        };
        Ok(Self { root, kept })
    }

    /// Fills the files that tell what names resolve to. The first changes while the pod runs.
    pub(super) fn write_names(&self, names: &Names) -> Result<HostsFile, StartFailure> {
        let hosts = write(&self.root, "etc/hosts", OFlags::empty(), &names.hosts.0)?;
        if !names.resolv_conf.0.is_empty() {
            write(
                &self.root,
                "etc/resolv.conf",
                OFlags::empty(),
                &names.resolv_conf.0,
            )?;
        }
        Ok(HostsFile(hosts))
    }

    /// Enters the root. The host's mounts are gone from this namespace afterwards.
    pub(super) fn enter(self) -> Result<(), StartFailure> {
        for (filesystem, place) in self.kept {
            self.keep(filesystem, place)?;
        }
        (|| {
            fchdir(&self.root)?;
            pivot_root(".", ".")?;
            unmount(".", UnmountFlags::DETACH)?;
            chdir("/")
        })()
        .map_err(failed)
    }

    /// Mounts a filesystem of the kernel's while the host's of that kind is still seen: else nobody in a user namespace may.
    fn keep(&self, filesystem: &str, place: &str) -> Result<(), StartFailure> {
        let attributes = guarded() | MountAttrFlags::MOUNT_ATTR_RDONLY;
        let mount = mount_detached(filesystem, &[], attributes)?;
        mkdirat(&self.root, place, Mode::from_raw_mode(0o700)).map_err(failed)?;
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(mount.as_fd(), "", self.root.as_fd(), place, whole).map_err(failed)
    }

    /// Enters the root, and keeps what was mounted before at `/machine`, and `proc` at `/proc`. Apps don't see it: they
    /// are in roots of their own.
    pub(super) fn enter_beside_machine(self, proc: &OwnedFd) -> Result<(), StartFailure> {
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        (|| {
            for name in ["machine", "proc"] {
                mkdirat(&self.root, name, Mode::from_raw_mode(0o755))?;
            }
            fchdir(&self.root)?;
            pivot_root(".", "machine")?;
            chdir("/")?;
            move_mount(proc.as_fd(), "", CWD, "/proc", whole)
        })()
        .map_err(failed)
    }
}

fn guarded() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

/// What else the host's processes share goes with its IPC.
fn shm_of_host() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let shm = open_tree(CWD, "/dev/shm", flags)?;
    let change = MountChange {
        set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC,
        ..MountChange::PRIVATE
    };
    sys::change_mount(shm.as_fd(), &change, false)?;
    Ok(shm)
}

fn failed(errno: Errno) -> StartFailure {
    StartFailure::other(format!("cannot make the pod's root: {errno}"))
}

fn write_file(root: &OwnedFd, path: &str, text: &str) -> Result<(), StartFailure> {
    write(root, path, OFlags::CREATE | OFlags::EXCL, text.as_bytes()).map(|_| ())
}

fn write(root: &OwnedFd, path: &str, how: OFlags, text: &[u8]) -> Result<File, StartFailure> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | how;
    let what = format!("write the pod's /{path}");
    let file =
        openat(root, path, flags, Mode::from_raw_mode(0o644)).map_err(StartFailure::os(&what))?;
    let mut file = File::from(file);
    file.write_all(text).map_err(StartFailure::os(&what))?;
    Ok(file)
}
