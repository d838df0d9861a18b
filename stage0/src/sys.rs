//! The one place of this program that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, raise, signal};
use nix::unistd::{self, ForkResult, Pid};
use pod::entry::ClosedStreams;

nix::ioctl_read_bad!(
    /// TIOCGWINSZ, tty_ioctl(2).
    read_window_size,
    libc::TIOCGWINSZ,
    libc::winsize
);

nix::ioctl_read_bad!(
    /// FIONREAD, ioctl_pipe(2).
    read_readable,
    libc::FIONREAD,
    libc::c_int
);

/// How many bytes can be read from a pipe now.
pub(crate) fn readable_bytes(pipe: impl AsFd) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes one number to a valid one.
    unsafe { read_readable(pipe.as_fd().as_raw_fd(), &raw mut count) }?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Lets what is written to an output that was closed fail, as it does in other programs, here and in the programs that
/// this one becomes. What can't be opened for that leads nowhere.
pub(crate) fn settle_outputs(ClosedStreams(closed): ClosedStreams) {
    for (number, was_closed) in (0..).zip(closed).skip(1) {
        if !was_closed {
            continue;
        }
        // A file that is open for reading alone, and not a device: those may be opened once more to be written to.
        if let Ok(file) = std::fs::File::open("/proc/self/comm") {
            // SAFETY: takes two descriptors. Nothing of ours owns the second, which is that of a standard stream.
            unsafe { libc::dup2(file.as_raw_fd(), number) };
        }
    }
}

/// Undoes what careless parents do to signals: a closed pipe ends this program as it ends any other, and children can be
/// waited for. A file that may not grow is an error that can be told, and not this program's end.
pub(crate) fn settle_signals() {
    for (number, disposition) in [
        (Signal::SIGPIPE, SigHandler::SigDfl),
        (Signal::SIGCHLD, SigHandler::SigDfl),
        (Signal::SIGSEGV, SigHandler::SigDfl),
        (Signal::SIGBUS, SigHandler::SigDfl),
        (Signal::SIGXFSZ, SigHandler::SigIgn),
    ] {
        // SAFETY: neither disposition runs code of ours. It can't fail for these signals.
        let _ = unsafe { signal(number, disposition) };
    }
}

/// Lets a write to a pipe that nobody reads any more fail, for what writes to the pipes of apps: that one has closed its
/// input ends no command.
pub(crate) fn outlive_closed_pipes() {
    // SAFETY: no code of ours runs as a handler. It can't fail for this signal.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}

/// Ends this process as any other ends that writes to a pipe which nobody reads.
pub(crate) fn end_by_closed_pipe() {
    // SAFETY: no code of ours runs as a handler. It can't fail for this signal.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    // Where it is blocked, the error is what is left.
    let _ = raise(Signal::SIGPIPE);
}

/// The least stack that this program and the isolator are sure to do with, in bytes.
pub(crate) const STACK_MIN: u64 = 256 << 10;

/// Looks whether this process may use as much stack as it needs: otherwise it would die somewhere without a word.
///
/// # Errors
/// The limit, in bytes.
pub(crate) fn require_stack() -> Result<(), u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one `rlimit` to a valid one.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } == 0;
    match known && limit.rlim_cur < STACK_MIN {
        true => Err(limit.rlim_cur),
        false => Ok(()),
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

/// Forks, once this process has one thread: of several, the child would have one, and what the others had locked would stay
/// so for ever. Those that were joined may take a moment to leave.
///
/// # Errors
/// EAGAIN if there are still others after a while; what fork(2) answers.
pub(crate) fn fork() -> Result<ForkResult, Errno> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let begun = Instant::now();
    while !has_one_thread()? {
        if begun.elapsed() > PATIENCE {
            return Err(Errno::EAGAIN);
        }
        std::thread::yield_now();
    }
    // SAFETY: there is one thread, and only that could make another, so that the child may do all that its parent could.
    unsafe { unistd::fork() }
}

/// Whether this process has no thread but this one: unshare(2) takes `CLONE_THREAD` only where it means nothing.
fn has_one_thread() -> Result<bool, Errno> {
    // SAFETY: changes nothing.
    match Errno::result(unsafe { libc::unshare(libc::CLONE_THREAD) }) {
        Ok(_) => Ok(true),
        Err(Errno::EINVAL) => Ok(false),
        Err(errno) => Err(errno),
    }
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

/// A descriptor that stands for a process, pidfd_open(2).
pub(crate) fn open_process(process: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: takes two numbers and touches no memory of ours.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let descriptor = RawFd::try_from(Errno::result(descriptor)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends a signal to the process that a descriptor stands for, pidfd_send_signal(2).
///
/// # Errors
/// ESRCH if it has ended; what the kernel answers.
pub(crate) fn send_signal(process: impl AsFd, signal: Signal) -> Result<(), Errno> {
    let process = process.as_fd().as_raw_fd();
    let no_details = std::ptr::null::<libc::siginfo_t>();
    let number = signal as libc::c_int;
    // SAFETY: the descriptor is borrowed for the call, and the kernel reads nothing of ours.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process, number, no_details, 0) };
    Errno::result(sent).map(drop)
}

/// Waits for the end of a child, and lets go of it. Whether a signal ended it: any, also a real-time one.
///
/// # Errors
/// What waitpid(2) answers.
pub(crate) fn was_killed(child: Pid) -> Result<bool, Errno> {
    let mut status: libc::c_int = 0;
    loop {
        // SAFETY: the kernel writes the status to a number that lives for the call.
        let waited = unsafe { libc::waitpid(child.as_raw(), &raw mut status, 0) };
        match Errno::result(waited) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(libc::WIFSIGNALED(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_does_not_fork() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || stopped.recv());
        let forked = fork();
        drop(stop);
        assert_eq!(other.join().unwrap(), Err(std::sync::mpsc::RecvError));
        assert!(matches!(forked, Err(Errno::EAGAIN)), "{forked:?}");
    }

    #[test]
    fn a_child_that_a_real_time_signal_ended_was_killed() {
        for (script, killed) in [
            ("kill -40 $$", true),
            ("kill -9 $$", true),
            ("exit 9", false),
        ] {
            let child = std::process::Command::new("/bin/sh")
                .args(["-c", script])
                .spawn();
            // `was_killed` waits for it.
            let child = Pid::from_raw(i32::try_from(child.unwrap().id()).unwrap());
            assert_eq!(was_killed(child), Ok(killed), "{script}");
        }
    }
}
