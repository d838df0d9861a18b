//! The one place of this program that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid, fork};

nix::ioctl_read_bad!(
    /// TIOCGWINSZ, tty_ioctl(2).
    read_window_size,
    libc::TIOCGWINSZ,
    libc::winsize
);

/// Undoes what the runtime library and careless parents do to signals: a closed pipe ends this
/// program as it ends any other, and children can be waited for.
pub(crate) fn restore_default_signals() {
    for number in [Signal::SIGPIPE, Signal::SIGCHLD] {
        // SAFETY: the default disposition runs no code of ours. It can't fail for these signals.
        let _ = unsafe { signal(number, SigHandler::SigDfl) };
    }
}

/// Whether a signal does nothing to this process, as nohup(1) and shells without job control arrange.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is changed, the kernel writes one `sigaction` to a valid one, and a zeroed one is valid too.
    unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Forks. Only for use while this process has one thread.
pub(crate) fn fork_single_threaded() -> Result<ForkResult, Errno> {
    // SAFETY: this program starts threads only within a fetch or a check of layers, which join them
    // before they return, so that there is one thread here and the child may do all that its parent
    // could.
    unsafe { fork() }
}

/// Marks all descriptors but standard input, output and error close-on-exec, close_range(2).
pub(crate) fn keep_descriptors_from_exec() -> Result<(), Errno> {
    let flag = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: takes three numbers, touches no memory of ours and closes nothing in this process.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, flag) };
    Errno::result(marked).map(drop)
}

/// The size of the terminal behind a descriptor, as (rows, columns).
pub(crate) fn window_size(terminal: impl AsFd) -> Result<(u16, u16), Errno> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes one `winsize` to a valid one.
    unsafe { read_window_size(terminal.as_fd().as_raw_fd(), &raw mut size) }?;
    Ok((size.ws_row, size.ws_col))
}

/// An option of a socket that is a number, getsockopt(2).
pub(crate) fn socket_option(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
) -> Result<u64, Errno> {
    let mut value = [0_u8; size_of::<u64>()];
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes no more bytes than the buffer has.
    let got = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(got)?;
    let [low @ .., _, _, _, _] = value;
    Ok(match length {
        8 => u64::from_ne_bytes(value),
        _ => u32::from_ne_bytes(low).into(),
    })
}

/// A descriptor that stands for a process, pidfd_open(2).
pub(crate) fn open_process(process: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: takes two numbers and touches no memory of ours.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let descriptor = RawFd::try_from(Errno::result(descriptor)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends SIGKILL to a process, pidfd_send_signal(2).
pub(crate) fn kill_process(process: &OwnedFd) -> Result<(), Errno> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is borrowed for the call, and without a siginfo no memory is touched.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            no_info,
            0,
        )
    };
    Errno::result(sent).map(drop)
}
