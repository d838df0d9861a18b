//! The system calls that no crate offers in a form that may be used between clone and exec: no
//! allocation, no locks, no libc state.
#![allow(unsafe_code)]

mod answer;
mod bpf;
pub(crate) mod device_mapper;
mod memory;
mod randomness;
mod signals;

use std::cell::Cell;
use std::ffi::{CStr, CString, NulError, c_char, c_int};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use self::answer::{check, last_errno};
pub(crate) use self::bpf::{Instruction, attach_device_program};
pub use self::memory::ProgramMemory;
pub(crate) use self::randomness::reseed;
#[cfg(test)]
pub(crate) use self::signals::ignore_signal;
pub use self::signals::{
    awaitable_signals, block_only, default_signals, is_ignored, unblock_signals, with_unblocked,
};

/// Strings for execve(2): an array of pointers that ends with a null pointer.
#[derive(Debug)]
pub struct CStringArray {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
    own_pid: Option<OwnPid>,
}

/// The variable `LISTEN_PID`, whose value only the process knows that is about to execute a program.
#[derive(Debug)]
struct OwnPid(Vec<Cell<u8>>);

impl OwnPid {
    /// Room for the name, any process ID, and the byte that ends the string.
    const ROOM: usize = 32;

    fn unknown() -> Self {
        Self(vec![Cell::new(0); Self::ROOM])
    }

    fn fill(&self) {
        let mut text = [0; Self::ROOM];
        let pid = rustix::process::getpid();
        // It fits; formatting a number takes no memory and no lock.
        let _ = write!(text.as_mut_slice(), "LISTEN_PID={pid}");
        for (place, byte) in self.0.iter().zip(text) {
            place.set(byte);
        }
    }
}

impl CStringArray {
    /// Prepares the array.
    ///
    /// # Errors
    /// If a string holds a NUL byte.
    pub fn new<'a>(strings: impl IntoIterator<Item = &'a str>) -> Result<Self, NulError> {
        let strings: Vec<CString> = strings
            .into_iter()
            .map(CString::new)
            .collect::<Result<_, _>>()?;
        let pointers = strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            _strings: strings,
            pointers,
            own_pid: None,
        })
    }

    /// Adds `LISTEN_PID`, for [`Self::name_own_process`] to say.
    #[must_use]
    pub fn with_own_pid(mut self) -> Self {
        let own_pid = OwnPid::unknown();
        self.pointers.insert(0, own_pid.0.as_ptr().cast());
        self.own_pid = Some(own_pid);
        self
    }

    /// Puts the calling process's ID, as it sees it itself, where [`Self::with_own_pid`] has left room for it.
    /// May be called between clone and exec.
    pub fn name_own_process(&self) {
        if let Some(own_pid) = &self.own_pid {
            own_pid.fill();
        }
    }
}

/// Executes `path`; returns only if that failed.
pub fn execve(path: &CStr, argv: &CStringArray, envp: &CStringArray) -> Errno {
    // SAFETY: the arrays are null-terminated arrays of pointers to C strings that they own.
    unsafe {
        libc::execve(
            path.as_ptr(),
            argv.pointers.as_ptr(),
            envp.pointers.as_ptr(),
        )
    };
    last_errno()
}

/// Executes the file that `fd` refers to (execveat(2), `AT_EMPTY_PATH`); returns only if that failed.
pub fn execveat(fd: BorrowedFd<'_>, argv: &CStringArray, envp: &CStringArray) -> Errno {
    // SAFETY: as for `execve`; the path is an empty C string.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd.as_raw_fd(),
            c"".as_ptr(),
            argv.pointers.as_ptr(),
            envp.pointers.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    last_errno()
}

// From `linux/sched.h`; the constants of the same names in libc are too narrow.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Makes a cgroup namespace whose root is the process's present cgroup.
pub fn unshare_cgroup() -> Result<(), Errno> {
    // SAFETY: changes what the calling process sees of cgroups, and nothing else.
    check(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }.into())
}

/// A process that [`spawn`] made.
#[derive(Debug)]
pub struct Spawned {
    /// Its ID in the caller's pid namespace.
    pub pid: i32,
    /// A descriptor that refers to it.
    pub pidfd: OwnedFd,
}

/// The new process, from clone to exec. There is one only in what [`spawn`] runs: a process with one thread and memory
/// of its own, which executes a program or ends, so that no owner of a descriptor ever looks at it again.
#[derive(Debug)]
pub struct ChildProcess(());

impl ChildProcess {
    /// Makes this number refer to the same as `fd`, also across exec. What it referred to is closed.
    ///
    /// # Errors
    /// What dup2(2) answers.
    pub fn place(&self, fd: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
        // SAFETY: touches no memory. The descriptor that is closed is this process's copy, whose owner is in the
        // memory of the parent.
        check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into())
    }

    /// As [`Self::place`], up to exec.
    ///
    /// # Errors
    /// What dup3(2) answers; EINVAL if `fd` has that number already.
    pub fn place_until_exec(&self, fd: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
        // SAFETY: as for `place`.
        check(unsafe { libc::dup3(fd.as_raw_fd(), number, libc::O_CLOEXEC) }.into())
    }

    /// A descriptor that was placed.
    pub fn placed(&self, number: RawFd) -> BorrowedFd<'_> {
        // SAFETY: nobody but this process closes its descriptors, and where the number isn't open, calls fail.
        unsafe { BorrowedFd::borrow_raw(number) }
    }

    /// Closes this process's copy of a descriptor.
    ///
    /// # Errors
    /// What close_range(2) answers.
    pub fn close(&self, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        let number = fd.as_raw_fd();
        // SAFETY: as for `place`.
        check(unsafe { libc::syscall(libc::SYS_close_range, number, number, 0) })
    }

    /// Closes all descriptors from `first` on.
    ///
    /// # Errors
    /// What close_range(2) answers.
    pub fn close_from(&self, first: u32) -> Result<(), Errno> {
        // SAFETY: as for `place`.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
    }
}

/// Makes a process by clone3(2) and runs `child` in it, whose result is its exit code.
///
/// `flags` are `CLONE_NEW*`; `CLONE_PIDFD` and `CLONE_CLEAR_SIGHAND` (every handler becomes the default) are
/// always set, and with `cgroup` (a cgroup v2 directory) `CLONE_INTO_CGROUP`. `child` should do nothing but system calls
/// on data that was built before.
///
/// # Errors
/// What clone3(2) answers; EINVAL if this process has more than one thread.
pub fn spawn(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce(&ChildProcess) -> c_int,
) -> io::Result<Spawned> {
    require_one_thread()?;
    let mut pidfd: c_int = -1;
    // SAFETY: all-zero is a valid clone_args.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags & NAMESPACES | libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND;
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of memory and goes on with this stack, as after
    // fork; there is no other thread that could have held a lock. `args` lives for the call and `pidfd` points to a
    // c_int.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_ref(&args), size_of_val(&args)) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = child(&ChildProcess(()));
            // SAFETY: ends the child at once, without destructors or exit handlers of its parent.
            unsafe { libc::_exit(code) }
        }
        pid => {
            // SAFETY: the kernel has just stored a new descriptor there.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Spawned {
                pid: i32::try_from(pid).map_err(io::Error::other)?,
                pidfd,
            })
        }
    }
}

/// The flags of clone3(2) that [`spawn`] takes.
const NAMESPACES: u64 = (libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS) as u64;

/// Fails in a process with more than one thread: unshare(2) takes `CLONE_THREAD` only where it means nothing. One that was
/// joined may take a moment to leave, as that of an overlay does on older kernels.
fn require_one_thread() -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let begun = Instant::now();
    loop {
        // SAFETY: changes nothing.
        match unsafe { libc::unshare(libc::CLONE_THREAD) } {
            0 => return Ok(()),
            _ => {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINVAL) || begun.elapsed() > PATIENCE {
                    return Err(error);
                }
                std::thread::yield_now();
            }
        }
    }
}

/// A child that has ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedChild {
    /// Its process ID.
    pub pid: i32,
    /// How it ended.
    pub end: ChildEnd,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it, which may be a real-time one.
    Signaled(i32),
}

/// Reaps one child that has ended; `None` if none has.
///
/// # Errors
/// What waitpid(2) answers.
pub fn reap() -> Result<Option<EndedChild>, Errno> {
    loop {
        let mut status: c_int = 0;
        // SAFETY: the status is stored in a c_int that lives for the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            0 => return Ok(None),
            -1 => match last_errno() {
                Errno::INTR => {}
                Errno::CHILD => return Ok(None),
                errno => return Err(errno),
            },
            pid if libc::WIFEXITED(status) => {
                let end = ChildEnd::Exited(libc::WEXITSTATUS(status));
                return Ok(Some(EndedChild { pid, end }));
            }
            pid if libc::WIFSIGNALED(status) => {
                let end = ChildEnd::Signaled(libc::WTERMSIG(status));
                return Ok(Some(EndedChild { pid, end }));
            }
            _ => {}
        }
    }
}

/// Marks all descriptors from `first` on close-on-exec.
pub fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: changes a flag of descriptors and nothing else.
    check(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
}

/// Sets attributes of the mount that `fd` refers to (mount_setattr(2)), and of those below it if
/// `recursive`.
pub fn mount_setattr(fd: BorrowedFd<'_>, set: u64, recursive: bool) -> Result<(), Errno> {
    let change = MountChange {
        set,
        clear: 0,
        propagation: 0,
    };
    change_mount(fd, &change, recursive)
}

/// What is changed of a mount (mount_setattr(2)).
#[derive(Debug, Clone, Copy)]
pub struct MountChange {
    /// Attributes that it gets (`MOUNT_ATTR_…`).
    pub set: u64,
    /// Attributes that it loses, before those.
    pub clear: u64,
    /// How it spreads from now on (`MS_PRIVATE` and the like), 0 for as before.
    pub propagation: u64,
}

/// Changes the mount that `fd` refers to, and those below it if `recursive`.
pub fn change_mount(
    fd: BorrowedFd<'_>,
    change: &MountChange,
    recursive: bool,
) -> Result<(), Errno> {
    let attr = libc::mount_attr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: 0,
    };
    set_mount_attributes(fd, &attr, recursive)
}

/// Maps the owners of files on the mount that `fd` refers to, and on those below it if `recursive`: whoever is such a
/// user on the filesystem is the user of that number in this user namespace. The mount must be attached to nothing.
///
/// # Errors
/// EINVAL if a filesystem there can't be mapped.
pub fn map_mount(
    fd: BorrowedFd<'_>,
    user_namespace: BorrowedFd<'_>,
    recursive: bool,
) -> Result<(), Errno> {
    let attr = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::from(user_namespace.as_raw_fd().unsigned_abs()),
    };
    set_mount_attributes(fd, &attr, recursive)
}

fn set_mount_attributes(
    fd: BorrowedFd<'_>,
    attr: &libc::mount_attr,
    recursive: bool,
) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string and `attr` lives for the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            ptr::from_ref(attr),
            size_of_val(attr),
        )
    })
}

/// Fails unless the working directory is below the root: the kernel shows any other as "(unreachable)/…".
pub fn working_directory_is_inside() -> Result<(), Errno> {
    let mut path = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes no more than the buffer's length. The call itself, because the C library's
    // would allocate.
    check(unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) })?;
    if path.first() == Some(&b'/') {
        Ok(())
    } else {
        Err(Errno::XDEV)
    }
}

/// Sends any signal, also a real-time one.
pub fn send_signal(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: sends a signal and touches no memory.
    check(unsafe { libc::kill(pid, signal) }.into())
}

/// Installs a seccomp filter (seccomp(2)) on the calling thread, with these flags. Needs `no_new_privs`, or
/// `CAP_SYS_ADMIN`.
pub fn install_seccomp(filter: &[libc::sock_filter], flags: u32) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: `program` and the filter it points to live for the call; the kernel copies and only reads.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            ptr::from_ref(&program),
        )
    })
}

/// Makes a session keyring without a name, and joins it (keyctl(2)): what is in the present one is out of reach.
pub fn join_new_session_keyring() -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    let no_name = ptr::null::<c_char>();
    // SAFETY: without a name the call reads no memory.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, no_name) })
}

/// Asks for SIGKILL when the parent dies, and keeps other processes from looking into this one.
pub fn die_with_parent_and_hide() -> Result<(), Errno> {
    // SAFETY: both calls set flags of the calling process.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL).into())?;
        check(libc::prctl(libc::PR_SET_DUMPABLE, 0).into())
    }
}

/// Asks for SIGKILL when the parent ends. A change of users takes that back.
pub fn die_with_parent() -> Result<(), Errno> {
    // SAFETY: sets a flag of the calling process.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }.into())
}

/// Sets the size of a terminal.
pub fn set_window_size(fd: BorrowedFd<'_>, rows: u16, cols: u16) -> Result<(), Errno> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: `size` lives for the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ, ptr::from_ref(&size)) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_makes_no_other_by_itself() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv());
        let made = spawn(0, None, |_| 0);
        drop(stop);
        assert_eq!(other.join().unwrap(), Err(std::sync::mpsc::RecvError));
        let error = made.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    }
}
