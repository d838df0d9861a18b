//! Starting pod init in the pod's namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cni_glue::Netns;
use pod::PodUuid;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use stage1::failure::StartFailure;
use stage1::protocol::INIT_SOCKET_FD;
use stage1::sys::{self, CStringArray};

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
    netns: Option<&Netns>,
) -> Result<OwnedFd, StartFailure> {
    let out_of_the_way = |fd: &OwnedFd| {
        fcntl_dupfd_cloexec(fd, HIGH).map_err(StartFailure::os("duplicate a descriptor"))
    };
    let program = out_of_the_way(&program()?)?;
    let end = out_of_the_way(&end)?;
    let null = openat(CWD, "/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(StartFailure::os("open /dev/null"))?;
    let null = out_of_the_way(&null)?;
    let argv = CStringArray::new(["fairing-pod-init", uuid.to_string().as_str()])
        .map_err(StartFailure::os("name pod init"))?;
    let envp = CStringArray::new([]).map_err(StartFailure::os("name pod init"))?;
    let child = Child {
        program: program.as_fd(),
        end: end.as_fd(),
        null: null.as_fd(),
        netns: netns.map(AsFd::as_fd),
        tasks,
        argv: &argv,
        envp: &envp,
    };
    let namespaces =
        libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let into = cgroup_folder.map(AsFd::as_fd);
    let spawned = sys::spawn(namespaces as u64, into, || {
        let _errno = child.become_init();
        1
    });
    Ok(spawned.map_err(StartFailure::os("make the pod's namespaces"))?.pidfd)
}

/// Pod init's program on a read-only mount of its own, attached to nothing: an app that gets at
/// `/proc/PID/exe` can't open the host's file for writing (CVE-2019-5736).
fn program() -> Result<OwnedFd, StartFailure> {
    let own = std::env::current_exe().map_err(StartFailure::os("find the isolator's folder"))?;
    let path = own.with_file_name(PROGRAM);
    let failed = |errno: Errno| {
        StartFailure::os(format_args!("open pod init, {}", path.display()))(errno)
    };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, &path, flags).map_err(failed)?;
    sys::mount_setattr(tree.as_fd(), libc::MOUNT_ATTR_RDONLY, false).map_err(failed)?;
    Ok(tree)
}

/// What the child needs between clone and exec.
struct Child<'a> {
    program: BorrowedFd<'a>,
    end: BorrowedFd<'a>,
    null: BorrowedFd<'a>,
    netns: Option<BorrowedFd<'a>>,
    tasks: &'a [OwnedFd],
    argv: &'a CStringArray,
    envp: &'a CStringArray,
}

impl Child<'_> {
    /// Returns only if something failed. The monitor sees pod init end before it said anything.
    fn become_init(&self) -> Errno {
        match self.prepare() {
            Ok(()) => sys::execveat(self.program, self.argv, self.envp),
            Err(errno) => errno,
        }
    }

    fn prepare(&self) -> Result<(), Errno> {
        for tasks in self.tasks {
            write(tasks, b"0")?;
        }
        if let Some(netns) = self.netns {
            move_into_link_name_space(netns, Some(LinkNameSpaceType::Network))?;
        }
        sys::reset_signals()?;
        rustix::stdio::dup2_stdin(self.null)?;
        rustix::stdio::dup2_stdout(self.null)?;
        rustix::stdio::dup2_stderr(self.null)?;
        let mut third = std::mem::ManuallyDrop::new(sys::adopt_fd(INIT_SOCKET_FD));
        rustix::io::dup2(self.end, &mut third)?;
        sys::close_on_exec_from(INIT_SOCKET_FD as u32 + 1)
    }
}
