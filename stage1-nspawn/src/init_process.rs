//! Starting pod init in the pod's namespaces.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use pod::PodUuid;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree,
};
use stage1::failure::StartFailure;
use stage1::link::descriptors::INIT_SOCKET_FD;
use stage1::sys::{self, CStringArray, ChildProcess};

/// Pod init's program, beside this one.
const PROGRAM: &str = "pod-init";
/// Descriptors from here on are out of the way of those that the child is given by number.
const HIGH: i32 = 16;

/// Starts pod init: `end` becomes its descriptor 3. Returns its pidfd.
pub(crate) fn start(
    uuid: PodUuid,
    end: OwnedFd,
    cgroup_folder: Option<&OwnedFd>,
    tasks: &[OwnedFd],
) -> Result<OwnedFd, StartFailure> {
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
    let child = Child {
        program: &program,
        end: end.as_fd(),
        null: null.as_fd(),
        tasks,
        argv: &argv,
        envp: &envp,
    };
    let namespaces =
        libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let into = cgroup_folder.map(AsFd::as_fd);
    let spawned = sys::spawn(namespaces as u64, into, |process| {
        child.become_init(process).raw_os_error()
    });
    Ok(spawned
        .map_err(StartFailure::os("make the pod's namespaces"))?
        .pidfd)
}

/// Where pod init's program is.
fn program() -> Result<CString, StartFailure> {
    let own = std::env::current_exe().map_err(StartFailure::os("find the isolator's directory"))?;
    let path = own.with_file_name(PROGRAM).into_os_string();
    CString::new(path.into_vec()).map_err(StartFailure::os("name pod init's program"))
}

/// What the child needs between clone and exec.
struct Child<'a> {
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
        match self.prepare(process).and_then(|()| self.guarded_program()) {
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
