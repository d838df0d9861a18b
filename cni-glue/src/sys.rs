//! The system calls that no crate offers in a safe form.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Asks a netlink socket for the kernel's own words on errors, and for short acknowledgements.
///
/// # Errors
/// The kernel's answer; kernels before 4.12 know neither.
pub(crate) fn explain_errors(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::NETLINK_EXT_ACK)?;
    set_option(socket, libc::NETLINK_CAP_ACK)
}

fn set_option(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which lives across the call; its length is passed.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for one SIGIO when something is next made or removed in a directory.
///
/// # Errors
/// `EINVAL` from a kernel without dnotify.
pub(crate) fn notify_once(folder: BorrowedFd<'_>) -> io::Result<()> {
    /// `DN_CREATE`, `DN_DELETE` and `DN_RENAME` of `fcntl(2)`.
    const CHANGES: libc::c_int = 0x4 | 0x8 | 0x10;
    // SAFETY: the argument is a number; the call changes nothing of this process's memory.
    match unsafe { libc::fcntl(folder.as_raw_fd(), libc::F_NOTIFY, CHANGES) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `command` start its program as a plugin: nothing of this process is inherited but the three streams and the
/// environment, no signal is blocked, and it dies with the thread that started it.
pub(crate) fn start_alone(command: &mut Command) -> &mut Command {
    let parent = std::process::id();
    let prepare = move || {
        // SAFETY: `close_range` with this flag marks descriptors and closes none; `sigset_t` is plain data that
        // `sigemptyset` fills in; all four calls may be made between fork and exec.
        let answer = unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                -1
            } else {
                libc::syscall(
                    libc::SYS_close_range,
                    3,
                    libc::c_uint::MAX,
                    libc::CLOSE_RANGE_CLOEXEC,
                )
            }
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::from_raw_os_error(libc::ECHILD));
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) }
}
