//! Starting pod init in the pod's namespaces.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use pod::PodUuid;
use pod::manifest::{HostNamespace, UserNamespace};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree,
};
use stage1::failure::StartFailure;
use stage1::link::descriptors::INIT_SOCKET_FD;
use stage1::pod_ids::PodIds;
use stage1::sys::{self, CStringArray, ChildProcess};

use crate::mapping::Mapping;

/// Pod init's program, beside this one.
const PROGRAM: &str = "pod-init";
/// Descriptors from here on are out of the way of those that the child is given by number.
const HIGH: i32 = 16;

/// Pod init's process.
#[derive(Debug)]
pub(crate) struct InitProcess {
    /// Its pidfd.
    pub(crate) process: OwnedFd,
    /// The pod's own user namespace, if it has one.
    pub(crate) ids: Option<PodIds>,
}

/// Starts pod init: `end` becomes its descriptor 3.
pub(crate) fn start(
    uuid: PodUuid,
    end: OwnedFd,
    cgroup_folder: Option<&OwnedFd>,
    tasks: &[OwnedFd],
    user_namespace: Option<&UserNamespace>,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<InitProcess, StartFailure> {
    let out_of_the_way = |fd: &OwnedFd| {
        fcntl_dupfd_cloexec(fd, HIGH).map_err(StartFailure::os("duplicate a descriptor"))
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
    let mapping = user_namespace.map(Mapping::new).transpose()?;
    let child = Child {
        mapping: mapping.as_ref(),
        program: &program,
        end: end.as_fd(),
        null: null.as_fd(),
        tasks,
        argv: &argv,
        envp: &envp,
    };
    let own = |namespace, flag| {
        if of_host.contains(&namespace) {
            0
        } else {
            flag
        }
    };
    let namespaces = libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | own(HostNamespace::Uts, libc::CLONE_NEWUTS)
        | match mapping {
            None => own(HostNamespace::Ipc, libc::CLONE_NEWIPC),
            // The kernel makes it first, and the others belong to it. That of IPC is made by its root, whose directory
            // of message queues it then is.
            Some(_) => libc::CLONE_NEWUSER,
        };
    let into = cgroup_folder.map(AsFd::as_fd);
    let spawned = sys::spawn(namespaces as u64, into, |process| {
        child.become_init(process).raw_os_error()
    });
    let process = spawned.map_err(|error| match (&mapping, error.raw_os_error()) {
        (Some(_), Some(libc::ENOSPC)) => StartFailure::other(
            "cannot make the pod's namespaces: the host allows no more of them (user.max_user_namespaces and the like)",
        ),
        _ => StartFailure::os("make the pod's namespaces")(error),
    })?;
    let ids = mapping.map(|mapping| mapping.write(process.pid));
    Ok(InitProcess {
        ids: ids.transpose()?,
        process: process.pidfd,
    })
}

/// Where pod init's program is.
fn program() -> Result<CString, StartFailure> {
    let own = std::env::current_exe().map_err(StartFailure::os("find the isolator's directory"))?;
    let path = own.with_file_name(PROGRAM).into_os_string();
    CString::new(path.into_vec()).map_err(StartFailure::os("name pod init's program"))
}

/// What the child needs between clone and exec.
struct Child<'a> {
    mapping: Option<&'a Mapping<'a>>,
    program: &'a CStr,
    end: BorrowedFd<'a>,
    null: BorrowedFd<'a>,
    tasks: &'a [OwnedFd],
    argv: &'a CStringArray,
    envp: &'a CStringArray,
}

impl Child<'_> {
    /// Returns only if something failed; the error becomes the exit code of a pod init that never said anything.
    fn become_init(&self, process: &ChildProcess) -> Errno {
        let prepared = self.prepare(process).and_then(|()| {
            // The program is opened as the host's root, who may be the only one that finds the way there.
            let program = self.guarded_program()?;
            if let Some(mapping) = self.mapping {
                mapping.become_root(process)?;
            }
            Ok(program)
        });
        match prepared {
            Ok(program) => sys::execveat(program.as_fd(), self.argv, self.envp),
            Err(errno) => errno,
        }
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

    fn prepare(&self, process: &ChildProcess) -> Result<(), Errno> {
        for tasks in self.tasks {
            write(tasks, b"0")?;
        }
        sys::unblock_signals()?;
        rustix::stdio::dup2_stdin(self.null)?;
        rustix::stdio::dup2_stdout(self.null)?;
        rustix::stdio::dup2_stderr(self.null)?;
        process.place(self.end, INIT_SOCKET_FD)?;
        sys::close_on_exec_from(INIT_SOCKET_FD as u32 + 1)
    }
}
