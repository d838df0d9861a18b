//! Dispositions and masks of signals, for every number that the kernel has.

use std::ffi::c_int;
use std::ptr;

use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;

use super::answer::check;

/// Gives every signal its default disposition, also those that a parent had ignored: what the programs that
/// this process starts expect to find.
pub fn default_signals() {
    /// Signals of the kernel, 1 to 64; the C library keeps two of them from its own callers.
    const SIGNALS: c_int = 64;
    // `struct sigaction` as the kernel has it: SIG_DFL, no flags, no restorer, an empty mask of 64 bits.
    let default = [0_u64; 4];
    for signal in 1..=SIGNALS {
        // SAFETY: the kernel reads a structure of that size. It refuses the two signals that can't be set,
        // which are what they should be already.
        unsafe {
            let none = ptr::null_mut::<u64>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                none,
                size_of::<u64>(),
            );
        }
    }
}

/// The bit of a signal in a mask of the kernel's.
const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Every signal that can be waited for, also those that the C library keeps to itself, but for SIGCHLD: of children
/// other descriptors tell.
pub fn awaitable_signals() -> SigSet {
    let mask = !(bit(libc::SIGCHLD) | bit(libc::SIGKILL) | bit(libc::SIGSTOP));
    // SAFETY: an all-zero set is a valid one, and its first 64 bits are the kernel's signals in order, so that any value
    // of them is valid too.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        ptr::from_mut(&mut set).cast::<u64>().write(mask);
        SigSet::from_sigset_t_unchecked(set)
    }
}

/// Blocks exactly these signals. The C library's own function would leave out those that it keeps to itself.
pub fn block_only(signals: &SigSet) -> Result<(), Errno> {
    // SAFETY: the kernel reads 64 bits of a set that is longer.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            ptr::from_ref(signals.as_ref()),
            ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    })
}

/// Does something while one signal is not blocked.
///
/// # Errors
/// What pthread_sigmask(3) answers; nothing is done then.
pub fn with_unblocked<T>(signal: Signal, action: impl FnOnce() -> T) -> Result<T, Errno> {
    let mut one = SigSet::empty();
    one.add(signal);
    let failed = |errno: nix::errno::Errno| Errno::from_raw_os_error(errno as i32);
    one.thread_unblock().map_err(failed)?;
    let done = action();
    one.thread_block().map_err(failed)?;
    Ok(done)
}

/// Whether a signal does nothing to this process, as nohup(1) and shells without job control arrange.
pub fn is_ignored(signal: c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is changed, the kernel writes one `sigaction` to a valid one, and a zeroed one is valid too.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Keeps a signal from ending a test, whose threads don't block it.
#[cfg(test)]
pub(crate) fn ignore_signal(signal: c_int) {
    // SAFETY: no handler is installed that could run.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Unblocks all signals. Their dispositions are the default ones since [`default_signals`].
pub fn unblock_signals() -> Result<(), Errno> {
    // SAFETY: an all-zero set is valid memory for sigemptyset, which makes it an empty set.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()).into())
    }
}
