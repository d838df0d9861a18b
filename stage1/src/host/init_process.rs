//! Starting pod init in the pod's namespaces.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use crate::cgroup::PodCgroups;
use crate::failure::StartFailure;
use crate::link::descriptors::INIT_SOCKET_FD;
use crate::pod_ids::PodIds;
use crate::sys::{self, CStringArray, ChildProcess, Spawned};
use nix::sched::{CloneFlags, unshare};
use pod::PodUuid;
use pod::manifest::{HostNamespace, UserNamespace};
use rustix::fs::{CWD, Mode, OFlags, openat, stat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree,
};
use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal, waitid,
};

use super::gate::Gate;
use super::mapping::{self, Mapping};
use super::network_namespace::NetworkNamespace;

/// Pod init's program, beside this one.
const PROGRAM: &str = "pod-init";
/// Descriptors from here on are out of the way of those that the child is given by number.
const HIGH: i32 = 16;

/// Pod init's process.
#[derive(Debug)]
pub struct InitProcess {
    /// Its pidfd.
    pub process: OwnedFd,
    /// Its ID, for as long as nobody has waited for its end.
    pub pid: i32,
    /// The pod's own user namespace, if it has one.
    pub ids: Option<PodIds>,
}

/// The process before it executes pod init, until its cgroups are there.
#[derive(Debug)]
pub struct WaitingProcess {
    process: Unfinished,
    ids: Option<PodIds>,
    cgroups: Gate,
}

impl WaitingProcess {
    /// Lets it go on into its cgroups.
    ///
    /// # Errors
    /// [`StartFailure`] if it can't be told.
    pub fn go_on(self) -> Result<InitProcess, StartFailure> {
        self.cgroups
            .tell(1)
            .map_err(StartFailure::os("start pod init"))?;
        let (process, pid) = self.process.finish()?;
        Ok(InitProcess {
            process,
            pid,
            ids: self.ids,
        })
    }
}

/// A process that waits, and that nobody needs if this is dropped.
#[derive(Debug)]
struct Unfinished {
    process: Option<OwnedFd>,
    pid: i32,
}

impl Unfinished {
    fn new(spawned: Spawned) -> Self {
        Self {
            process: Some(spawned.pidfd),
            pid: spawned.pid,
        }
    }

    fn finish(mut self) -> Result<(OwnedFd, i32), StartFailure> {
        let process = self.process.take();
        let process = process.ok_or_else(|| StartFailure::other("pod init was not started"))?;
        Ok((process, self.pid))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            // It may have ended by itself. What it held goes before anything else is taken back.
            let _ = pidfd_send_signal(process, Signal::KILL);
            let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

/// Starts the process that becomes pod init: `end` becomes its descriptor 3. It makes the pod's network namespace on its
/// way, if there is to be one. What is `of_host` it does not leave.
///
/// # Errors
/// [`StartFailure`] if the kernel makes no such process.
pub fn start(
    uuid: PodUuid,
    end: OwnedFd,
    cgroups: &PodCgroups,
    user_namespace: Option<&UserNamespace>,
    network: Option<&NetworkNamespace>,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<WaitingProcess, StartFailure> {
    let out_of_the_way = |fd: &OwnedFd| {
        let raised = fcntl_dupfd_cloexec(fd, HIGH);
        raised.map_err(|errno| {
            StartFailure::os("duplicate a descriptor")(match errno {
                // So the kernel says that there can't be one of that number.
                Errno::INVAL => Errno::MFILE,
                other => other,
            })
        })
    };
    let program = program()?;
    let end = out_of_the_way(&end)?;
    let null = openat(
        CWD,
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(StartFailure::os("open /dev/null"))?;
    let null = out_of_the_way(&null)?;
    let argv = CStringArray::new(["fairing-pod-init", uuid.to_string().as_str()])
        .map_err(StartFailure::os("name pod init"))?;
    let envp = CStringArray::new([]).map_err(StartFailure::os("name pod init"))?;
    let monitor =
        pidfd_open(getpid(), PidfdFlags::empty()).map_err(StartFailure::os("open this process"))?;
    let cgroups_made = Gate::new().map_err(StartFailure::os("prepare pod init"))?;
    let mapping = user_namespace.map(Mapping::new).transpose()?;
    let tasks = cgroups.tasks_of_init().into_iter();
    let tasks = tasks.map(|path| CString::new(path.into_os_string().into_vec()));
    let tasks: Vec<CString> = tasks
        .collect::<Result<_, _>>()
        .map_err(StartFailure::os("name pod init's cgroup"))?;
    let child = Child {
        monitor: monitor.as_fd(),
        cgroups: &cgroups_made,
        mapping: mapping.as_ref(),
        network,
        has_own_ipc: !of_host.contains(&HostNamespace::Ipc),
        program: &program,
        end: end.as_fd(),
        null: null.as_fd(),
        tasks: &tasks,
        argv: &argv,
        envp: &envp,
    };
    let mut namespaces = libc::CLONE_NEWNS;
    if !of_host.contains(&HostNamespace::Pid) {
        namespaces |= libc::CLONE_NEWPID;
    }
    if !of_host.contains(&HostNamespace::Uts) {
        namespaces |= libc::CLONE_NEWUTS;
    }
    if mapping.is_some() {
        // The kernel makes it first, and the others belong to it.
        namespaces |= libc::CLONE_NEWUSER;
    }
    let into = cgroups.directory_of_init()?;
    let spawned = sys::spawn(
        namespaces as u64,
        into.as_ref().map(AsFd::as_fd),
        |process| child.become_init(process).raw_os_error(),
    );
    let process = spawned.map_err(|error| match (&mapping, error.raw_os_error()) {
        (Some(_), Some(libc::ENOSPC)) => StartFailure::other(
            "cannot make the pod's namespaces: the host allows no more of them (user.max_user_namespaces and the like)",
        ),
        _ => StartFailure::os("make the pod's namespaces")(error),
    })?;
    let process = Unfinished::new(process);
    let ids = mapping.map(|mapping| mapping.write(process.pid));
    Ok(WaitingProcess {
        ids: ids.transpose()?,
        process,
        cgroups: cgroups_made,
    })
}

/// Whether users of pods may read pod init's program. Of one that they may only execute, the kernel shows nothing to anybody
/// in a user namespace, whatever capabilities it has there (`would_dump` in `fs/exec.c`): neither memory nor descriptors, of
/// which some lead out of the pod.
///
/// # Errors
/// [`StartFailure`] if it is not there.
pub fn is_readable() -> Result<bool, StartFailure> {
    let program = program()?;
    let found = stat(program.as_c_str()).map_err(StartFailure::os("look at pod init's program"))?;
    Ok(Mode::from_raw_mode(found.st_mode).contains(Mode::ROTH))
}

/// Where pod init's program is.
fn program() -> Result<CString, StartFailure> {
    let own = std::env::current_exe().map_err(StartFailure::os("find the isolator's directory"))?;
    let path = own.with_file_name(PROGRAM).into_os_string();
    CString::new(path.into_vec()).map_err(StartFailure::os("name pod init's program"))
}

/// What the child needs between clone and exec.
struct Child<'a> {
    monitor: BorrowedFd<'a>,
    cgroups: &'a Gate,
    mapping: Option<&'a Mapping<'a>>,
    network: Option<&'a NetworkNamespace>,
    has_own_ipc: bool,
    program: &'a CStr,
    end: BorrowedFd<'a>,
    null: BorrowedFd<'a>,
    tasks: &'a [CString],
    argv: &'a CStringArray,
    envp: &'a CStringArray,
}

impl Child<'_> {
    /// Returns only if something failed; the error becomes the exit code of a pod init that never said anything.
    fn become_init(&self, process: &ChildProcess) -> Errno {
        match self.prepare(process) {
            Ok(program) => sys::execveat(program.as_fd(), self.argv, self.envp),
            Err(errno) => errno,
        }
    }

    /// Makes what takes long, while the monitor does all else; the result is the program.
    fn prepare(&self, process: &ChildProcess) -> Result<OwnedFd, Errno> {
        self.place_streams(process)?;
        // The program is opened as the host's root, who may be the only one that finds the way there.
        let program = self.guarded_program()?;
        if let Some(mapping) = self.mapping {
            mapping.wait(self.monitor)?;
        }
        self.network.map_or(Ok(()), NetworkNamespace::make)?;
        // As the host's root still, to whom the files belong.
        self.cgroups.wait(self.monitor)?.ok_or(Errno::CANCELED)?;
        for tasks in self.tasks {
            let tasks = openat(CWD, tasks, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            write(&tasks, b"0")?;
        }
        if self.mapping.is_some() {
            mapping::become_root()?;
        }
        if self.has_own_ipc {
            // Made by root of the pod, whose directory of message queues it then is.
            unshare(CloneFlags::CLONE_NEWIPC)
                .map_err(|errno| Errno::from_raw_os_error(errno as i32))?;
        }
        Ok(program)
    }

    /// Pod init's program on a read-only mount, in this mount namespace alone: an app that gets at
    /// `/proc/PID/exe` can't open the host's file for writing (CVE-2019-5736).
    ///
    /// The mount is attached, over the program itself, so that it goes with the namespace: taking
    /// a loose one down costs an RCU grace period.
    fn guarded_program(&self) -> Result<OwnedFd, Errno> {
        mount_change(
            c"/",
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        )?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, self.program, flags)?;
        sys::mount_setattr(tree.as_fd(), libc::MOUNT_ATTR_RDONLY, false)?;
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(tree.as_fd(), c"", CWD, self.program, whole)?;
        Ok(tree)
    }

    fn place_streams(&self, process: &ChildProcess) -> Result<(), Errno> {
        // Even one that is stopped, and looks at no gate, holds the pod's lock.
        sys::die_with_parent()?;
        sys::unblock_signals()?;
        rustix::stdio::dup2_stdin(self.null)?;
        rustix::stdio::dup2_stdout(self.null)?;
        rustix::stdio::dup2_stderr(self.null)?;
        process.place(self.end, INIT_SOCKET_FD)?;
        sys::close_on_exec_from(INIT_SOCKET_FD as u32 + 1)
    }
}
