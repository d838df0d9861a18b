//! The process that shares files with a machine, and its tree of mounts.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::link::Share;
use stage1::sys::{self, MountChange};

use crate::launcher::{self, FIRST, Identity, Program, TREE};
use crate::output::{last_line, pipe};
use crate::shared_files::Entry;
use crate::virtiofsd::Virtiofsd;

/// The socket at which it listens until the machine is connected, in the pod's runtime directory.
const SOCKET: &str = "shared-files";
/// Places in the tree, at most: each takes memory of the kernel.
const PLACES_MAX: &str = "65536";

/// A virtiofsd. It ends with this.
#[derive(Debug)]
pub(crate) struct FileServer {
    process: OwnedFd,
    errors: OwnedFd,
}

impl FileServer {
    /// Starts it with these files. The second result leads to it, for the machine.
    ///
    /// # Errors
    /// What failed.
    pub(crate) fn start(
        program: &Virtiofsd,
        share: Share,
        run_dir: &Path,
        entries: Vec<Entry>,
        cgroups: &PodCgroups,
    ) -> Result<(Self, OwnedFd), StartFailure> {
        let (listener, connection) =
            sockets(run_dir).map_err(StartFailure::os("make a socket for shared files"))?;
        let (errors, of_program) = pipe()?;
        let tree =
            make_tree(&entries).map_err(StartFailure::os("make the tree of shared files"))?;
        let entries: Vec<_> = entries
            .into_iter()
            .map(|entry| (entry.name, entry.mount))
            .collect();
        let process = launcher::start(
            &Program {
                path: &program.path,
                arguments: &program.arguments(share, FIRST, TREE),
                errors: of_program,
                descriptors: vec![listener],
                identity: Identity::FileServer {
                    tree: &tree,
                    entries: &entries,
                },
            },
            cgroups,
        )?;
        Ok((Self { process, errors }, connection))
    }

    /// Its process: a pidfd more.
    pub(crate) fn process(&self) -> std::io::Result<OwnedFd> {
        self.process.try_clone()
    }

    /// Adds files to its tree.
    pub(crate) fn attach(&self, entries: Vec<Entry>) -> Result<(), Errno> {
        self.in_its_namespace(move |root| {
            entries.iter().try_for_each(|entry| {
                make_place(root, entry)?;
                let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                move_mount(&entry.mount, c"", root, entry.name.as_c_str(), whole)
            })
        })
    }

    /// Takes files out of its tree.
    pub(crate) fn detach(&self, places: Vec<CString>) -> Result<(), Errno> {
        self.in_its_namespace(move |root| {
            places.iter().try_for_each(|place| {
                let place = place.as_c_str();
                match unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                    // It was never attached.
                    Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
                    other => other?,
                }
                match unlinkat(root, place, AtFlags::empty()) {
                    Err(Errno::ISDIR) => unlinkat(root, place, AtFlags::REMOVEDIR),
                    other => other,
                }
            })
        })
    }

    /// Does it in a thread that sees what the server sees, whose root is the tree. Only meanwhile can places be made there.
    fn in_its_namespace(
        &self,
        work: impl FnOnce(&OwnedFd) -> Result<(), Errno> + Send,
    ) -> Result<(), Errno> {
        let errno = |errno: nix::errno::Errno| Errno::from_raw_os_error(errno as i32);
        let inside = || {
            unshare(CloneFlags::CLONE_FS).map_err(errno)?;
            setns(&self.process, CloneFlags::CLONE_NEWNS).map_err(errno)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = openat(CWD, "/", flags, Mode::empty())?;
            rustix::process::chdir("/")?;
            let change = |set, clear| MountChange {
                set,
                clear,
                propagation: 0,
            };
            let read_only = libc::MOUNT_ATTR_RDONLY;
            sys::change_mount(root.as_fd(), &change(0, read_only), false)?;
            let done = work(&root);
            sys::change_mount(root.as_fd(), &change(read_only, 0), false)?;
            done
        };
        thread::scope(|scope| {
            // A thread whose panic was caught has done nothing.
            scope.spawn(inside).join().unwrap_or(Err(Errno::CANCELED))
        })
    }

    /// Why it has ended. One that ends with the machine does that without a failure.
    pub(crate) fn failure(&self) -> Option<StartFailure> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::PidFd(self.process.as_fd()), options);
        let status = status.ok().flatten()?;
        if status.exit_status() == Some(0) {
            return None;
        }
        let how = match (last_line(&self.errors), status.terminating_signal()) {
            (Some(said), _) => format!(": {said}"),
            (None, Some(signal)) => format!(" by signal {signal}"),
            (None, None) => String::new(),
        };
        Some(StartFailure::other(format!(
            "virtiofsd, which shares files with the virtual machine, has ended{how}"
        )))
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        // It may have ended by itself. What it has mounted goes with it.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
        let _ = waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
    }
}

/// A socket that listens, and one that is connected to it: nobody else can connect.
fn sockets(run_dir: &Path) -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, run_dir, flags, Mode::empty())?;
    // A socket's path is short.
    let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
    let listener = UnixListener::bind(&path)?;
    let connection = UnixStream::connect(&path);
    unlinkat(&directory, SOCKET, AtFlags::empty())?;
    Ok((listener.into(), connection?.into()))
}

/// The tree, without what is to be attached to it.
fn make_tree(entries: &[Entry]) -> Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("mode", "755"), ("nr_inodes", PLACES_MAX), ("size", "4k")] {
        fsconfig_set_string(context.as_fd(), key, value)?;
    }
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let tree = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    entries
        .iter()
        .try_for_each(|entry| make_place(&tree, entry))?;
    Ok(tree)
}

fn make_place(tree: &OwnedFd, entry: &Entry) -> Result<(), Errno> {
    match entry.is_directory {
        true => mkdirat(tree, entry.name.as_c_str(), Mode::from_raw_mode(0o755)),
        false => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            openat(tree, entry.name.as_c_str(), flags, mode).map(drop)
        }
    }
}
