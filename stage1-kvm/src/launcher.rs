//! Starting the programs of a machine, in namespaces of their own and in the pod's cgroup: the one that runs it, as a user
//! that nobody else is and without privileges, and the one that shares files with it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use pod::manifest::Capability;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use rustix::process::{PidfdFlags, chdir, getpid, pidfd_open, setsid};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set, set_no_new_privs};
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::sys::{self, CStringArray, ChildProcess};

use crate::landlock;
use crate::sys::{become_user, landlock_restrict};

/// The number of the first descriptor that the program is given.
pub(crate) const FIRST: i32 = 3;
/// Descriptors from here on are out of the way of those.
const HIGH: i32 = 128;

/// What is to be executed.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    /// Its name is not counted.
    pub(crate) arguments: &'a [String],
    /// Its standard error.
    pub(crate) errors: OwnedFd,
    /// What it is given, as descriptors from [`FIRST`] on.
    pub(crate) descriptors: Vec<OwnedFd>,
    pub(crate) identity: Identity<'a>,
}

/// As whom a program runs.
#[derive(Debug)]
pub(crate) enum Identity<'a> {
    /// As a user without privileges.
    User {
        /// The user, and the number of its group.
        id: u32,
        /// The other groups that it is in.
        groups: &'a [u32],
        /// Devices that it opens.
        devices: &'a [&'a str],
    },
    /// As root with few privileges, who finds a tree at [`TREE`].
    FileServer {
        /// The tree, a mount that is attached to nothing.
        tree: &'a OwnedFd,
        /// What is attached to it, each with the name of its place.
        entries: &'a [(CString, OwnedFd)],
    },
}

/// Where a file server finds its tree: any directory that is sure to exist, and that it doesn't need.
pub(crate) const TREE: &str = "/sys";

/// What a file server needs to confine itself, and then to act for any user of the machine.
const OF_FILE_SERVER: [Capability; 11] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysAdmin,
    Capability::SysChroot,
    Capability::SysResource,
];

/// Starts it. The result is its pidfd.
///
/// # Errors
/// What failed.
pub(crate) fn start(program: &Program<'_>, cgroups: &PodCgroups) -> Result<OwnedFd, StartFailure> {
    let prepare = StartFailure::os::<Errno>;
    let path = CString::new(program.path.to_owned().into_os_string().into_vec());
    let path = path.map_err(StartFailure::os("name the program of the machine"))?;
    let executable = openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(prepare("open the program of the machine"))?;
    let null = openat(
        CWD,
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(prepare("open /dev/null"))?;
    let high = |fd: &OwnedFd| {
        fcntl_dupfd_cloexec(fd, HIGH).map_err(StartFailure::os("duplicate a descriptor"))
    };
    let (executable, null, errors) = (high(&executable)?, high(&null)?, high(&program.errors)?);
    let descriptors = program
        .descriptors
        .iter()
        .map(high)
        .collect::<Result<Vec<_>, _>>()?;
    let name = program.path.to_string_lossy();
    let words = std::iter::once(&*name).chain(program.arguments.iter().map(String::as_str));
    let argv = CStringArray::new(words).map_err(StartFailure::os("name the machine's parts"))?;
    let envp = CStringArray::new([]).map_err(StartFailure::os("name the machine's parts"))?;
    let tasks = cgroups.tasks_of_init().into_iter();
    let tasks = tasks.map(|path| CString::new(path.into_os_string().into_vec()));
    let tasks: Vec<CString> = tasks
        .collect::<Result<_, _>>()
        .map_err(StartFailure::os("name the pod's cgroup"))?;
    let monitor =
        pidfd_open(getpid(), PidfdFlags::empty()).map_err(prepare("open this process"))?;
    let monitor = high(&monitor)?;
    let rules = match &program.identity {
        Identity::User { devices, .. } => {
            landlock::rules(program.path, &program.descriptors, devices)?
        }
        // It bounds itself to its tree.
        Identity::FileServer { .. } => None,
    };
    let rules = rules.as_ref().map(high).transpose()?;
    let tree = match &program.identity {
        Identity::User { .. } => None,
        Identity::FileServer { tree, entries } => Some(Tree {
            root: high(tree)?,
            entries: entries
                .iter()
                .map(|(place, mount)| Ok((place.as_c_str(), high(mount)?)))
                .collect::<Result<_, StartFailure>>()?,
        }),
    };
    let child = Child {
        executable: executable.as_fd(),
        null: null.as_fd(),
        errors: errors.as_fd(),
        descriptors: &descriptors,
        tasks: &tasks,
        monitor: monitor.as_fd(),
        identity: &program.identity,
        rules: rules.as_ref().map(AsFd::as_fd),
        tree,
        kept: OF_FILE_SERVER.iter().fold(0, |all, one| all | one.bit()),
        argv: &argv,
        envp: &envp,
    };
    let namespaces = libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNS;
    let into = cgroups.directory_of_init()?;
    let spawned = sys::spawn(
        namespaces as u64,
        into.as_ref().map(AsFd::as_fd),
        |process| child.execute(process),
    );
    let spawned = spawned.map_err(StartFailure::os("start the program of the machine"))?;
    Ok(spawned.pidfd)
}

/// A tree by descriptors that are out of the way of those that the program is given.
struct Tree<'a> {
    root: OwnedFd,
    entries: Vec<(&'a CStr, OwnedFd)>,
}

/// What the child needs between clone and exec.
struct Child<'a> {
    executable: BorrowedFd<'a>,
    null: BorrowedFd<'a>,
    errors: BorrowedFd<'a>,
    descriptors: &'a [OwnedFd],
    tasks: &'a [CString],
    monitor: BorrowedFd<'a>,
    identity: &'a Identity<'a>,
    /// Which files it can open, if not all that its user can.
    rules: Option<BorrowedFd<'a>>,
    /// The tree of a file server.
    tree: Option<Tree<'a>>,
    /// Capabilities of a file server.
    kept: u64,
    argv: &'a CStringArray,
    envp: &'a CStringArray,
}

impl Child<'_> {
    /// Returns only if something failed; the error becomes the exit code.
    fn execute(&self, process: &ChildProcess) -> i32 {
        match self.prepare(process) {
            Ok(()) => sys::execveat(self.executable, self.argv, self.envp).raw_os_error(),
            Err(errno) => errno.raw_os_error(),
        }
    }

    fn prepare(&self, process: &ChildProcess) -> Result<(), Errno> {
        sys::unblock_signals()?;
        // What a terminal, or whoever signals a process group, has to say is said to the monitor.
        setsid()?;
        rustix::stdio::dup2_stdin(self.null)?;
        rustix::stdio::dup2_stdout(self.null)?;
        rustix::stdio::dup2_stderr(self.errors)?;
        for (number, descriptor) in (FIRST..).zip(self.descriptors) {
            process.place(descriptor.as_fd(), number)?;
        }
        let count = i32::try_from(self.descriptors.len()).map_err(|_| Errno::MFILE)?;
        let next = u32::try_from(FIRST + count).map_err(|_| Errno::MFILE)?;
        sys::close_on_exec_from(next)?;
        // As root still, to whom the files belong.
        for tasks in self.tasks {
            let tasks = openat(CWD, tasks, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            write(&tasks, b"0")?;
        }
        chdir(c"/")?;
        match self.identity {
            Identity::User { id, groups, .. } => {
                let become_user = become_user(*id, groups);
                become_user.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
                self.rules.map_or(Ok(()), landlock_restrict)?;
            }
            Identity::FileServer { .. } => {
                if let Some(tree) = &self.tree {
                    attach(tree)?;
                }
                drop_bounding_set(self.kept)?;
                set_no_new_privs(true)?;
            }
        }
        // Whoever becomes another user has to ask for it again.
        sys::die_with_parent()?;
        let mut monitor = [PollFd::from_borrowed_fd(self.monitor, PollFlags::IN)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut monitor, Some(&at_once))? {
            0 => Ok(()),
            // It was gone before that.
            _ => Err(Errno::CANCELED),
        }
    }
}

/// Makes the tree, in a mount namespace that nobody else is in.
fn attach(tree: &Tree<'_>) -> Result<(), Errno> {
    let Tree { root, entries } = tree;
    // What the host mounts later is not shared, but for what was asked for.
    mount_change(
        c"/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )?;
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(root, c"", CWD, TREE, whole)?;
    for (place, mount) in entries {
        move_mount(mount, c"", root, *place, whole)?;
    }
    sys::mount_setattr(root.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
}

/// Neither it nor what it executes can have other capabilities than these.
fn drop_bounding_set(kept: u64) -> Result<(), Errno> {
    for number in (0..u64::BITS).filter(|number| kept & (1 << number) == 0) {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability) {
            // The kernel knows no more capabilities.
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}
