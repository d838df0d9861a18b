//! The system calls that no crate offers in a safe form.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
#[cfg(test)]
use std::os::fd::FromRawFd;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
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

/// Makes a network namespace that belongs to a user namespace: by a process that enters the latter first, from where no
/// thread could come back.
///
/// # Errors
/// What the kernel answers to that process, or here.
pub(crate) fn network_namespace_of(owner: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let (mut ours, theirs) = UnixStream::pair()?;
    // SAFETY: the child only makes system calls on numbers and on memory of its own stack; it allocates nothing, takes
    // no lock, and ends without destructors.
    let child = unsafe { libc::fork() };
    match child {
        -1 => return Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: as above. The copy of `ours` is closed here, so that the end of the original can be read; the
            // process ends at once, and its owner with it.
            unsafe {
                libc::close(ours.as_raw_fd());
                let mut answer: libc::c_int = 0;
                if libc::setns(owner.as_raw_fd(), libc::CLONE_NEWUSER) != 0
                    || libc::unshare(libc::CLONE_NEWNET) != 0
                {
                    answer = *libc::__errno_location();
                }
                let length = size_of::<libc::c_int>();
                libc::write(theirs.as_raw_fd(), (&raw const answer).cast(), length);
                // The namespace is there until it is taken, which the end of the other side tells.
                libc::read(theirs.as_raw_fd(), (&raw mut answer).cast(), length);
                libc::_exit(0)
            }
        }
        _ => {}
    }
    drop(theirs);
    let mut answer = [0; size_of::<libc::c_int>()];
    let made =
        ours.read_exact(&mut answer)
            .and_then(|()| match libc::c_int::from_ne_bytes(answer) {
                0 => File::open(format!("/proc/{child}/ns/net")).map(OwnedFd::from),
                errno => Err(io::Error::from_raw_os_error(errno)),
            });
    drop(ours);
    // SAFETY: waits for a child of this process that nobody else waits for; its status is not asked for.
    while unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) } == -1
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
    made
}

/// The user namespace that a namespace belongs to, ioctl_ns(2).
#[cfg(test)]
pub(crate) fn user_namespace_of(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// `NS_GET_USERNS` of `linux/nsfs.h`.
    const GET_OWNER: libc::Ioctl = 0xb701;
    // SAFETY: this request has no argument.
    let owner = unsafe { libc::ioctl(namespace.as_raw_fd(), GET_OWNER) };
    if owner < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(owner) })
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
