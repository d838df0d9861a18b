//! Signals that the monitor takes one by one.

use libc::c_int;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};

use crate::failure::StartFailure;
use crate::sys;

/// The code of a signal that the kernel sends on its own, as for a key of a terminal (`SI_KERNEL`).
const BY_KERNEL: i32 = 0x80;

/// What a signal means to the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing: the caller ignores it, or it tells of what the monitor has seen already.
    Nothing,
    /// Another pod came or went.
    Peers,
    /// The user's terminal may have another size.
    Size,
    /// The user suspends this process by a key.
    Suspend,
    /// This process goes on after it was stopped.
    Continue,
    /// The pod is to end.
    End,
    /// Who sits before the terminal, or has closed it, wants what runs there to end.
    Interrupt,
    /// The same, by the key for it: who types that again means it.
    InterruptKey,
    /// It is for the apps.
    Other,
}

/// What a signal means, by its number, the code of how it came, and whether the caller ignores it.
fn meaning(number: i32, code: i32, is_ignored: bool) -> Meaning {
    match Signal::try_from(number) {
        Ok(Signal::SIGIO) if code > 0 => Meaning::Peers,
        // A file that may not grow costs what was to be written, as a full disk does, and not the pod; a reader that
        // is gone shows when it is written to.
        Ok(Signal::SIGXFSZ | Signal::SIGPIPE) => Meaning::Nothing,
        // By default it does nothing either, so that ignoring it says nothing.
        Ok(Signal::SIGWINCH) => Meaning::Size,
        _ if is_ignored => Meaning::Nothing,
        Ok(Signal::SIGTSTP) if code == BY_KERNEL => Meaning::Suspend,
        Ok(Signal::SIGCONT) => Meaning::Continue,
        Ok(Signal::SIGTERM) => Meaning::End,
        Ok(Signal::SIGINT) if code == BY_KERNEL => Meaning::InterruptKey,
        Ok(Signal::SIGINT | Signal::SIGHUP) => Meaning::Interrupt,
        _ => Meaning::Other,
    }
}

/// The number of a signal that has come, and what it means.
pub(super) fn meaning_of(info: &siginfo) -> (c_int, Meaning) {
    let number = c_int::try_from(info.ssi_signo).unwrap_or_default();
    // Asked only now, so that no start pays for it: a blocked signal waits though it is ignored.
    let is_ignored = sys::is_ignored(number);
    let meaning = meaning(number, info.ssi_code, is_ignored);
    (number, meaning)
}

/// Whether the default of a signal is to end a process.
pub(super) fn ends_by_default(number: i32) -> bool {
    !matches!(
        Signal::try_from(number),
        Ok(Signal::SIGCONT
            | Signal::SIGTSTP
            | Signal::SIGTTIN
            | Signal::SIGTTOU
            | Signal::SIGURG
            | Signal::SIGWINCH)
    )
}

/// Lets all signals wait in the monitor's descriptor.
pub(super) fn block_signals() -> Result<(), StartFailure> {
    sys::block_only(&sys::awaitable_signals()).map_err(StartFailure::os("block signals"))
}

/// The descriptor where they wait.
pub(super) fn listen() -> Result<SignalFd, StartFailure> {
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&sys::awaitable_signals(), flags)
        .map_err(StartFailure::os("listen for signals"))
}

/// Stops this process as a key of the terminal does, until somebody lets it go on. Where nobody could, nothing happens.
pub(super) fn suspend() {
    // If that can't be done, the key has no effect.
    let _ = raise(Signal::SIGTSTP);
    let _ = sys::with_unblocked(Signal::SIGTSTP, || ());
}

/// The signals by which users end a pod that is being started, as far as the caller does not ignore them. They are
/// blocked, so they wait.
///
/// # Errors
/// What signalfd(2) answers.
pub fn ending_signals() -> nix::Result<SignalFd> {
    let ending = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
    ];
    let heard: SigSet = ending
        .into_iter()
        .filter(|signal| !sys::is_ignored(*signal as c_int))
        .collect();
    SignalFd::with_flags(&heard, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_that_means_nothing_to_the_monitor_is_for_the_apps() {
        let by_process = |number| meaning(number, 0, false);
        for number in [1, 2] {
            assert_eq!(by_process(number), Meaning::Interrupt);
        }
        assert_eq!(by_process(15), Meaning::End);
        for number in [3, 10, 12, 14, 20, 21, 22, 23, 29, 30, 31, 32, 34, 64] {
            assert_eq!(by_process(number), Meaning::Other, "{number}");
        }
        assert_eq!(by_process(18), Meaning::Continue);
        assert_eq!(by_process(28), Meaning::Size);
    }

    #[test]
    fn what_the_kernel_tells_the_monitor_is_not_for_the_apps() {
        assert_eq!(meaning(29, BY_KERNEL, false), Meaning::Peers);
        assert_eq!(meaning(20, BY_KERNEL, false), Meaning::Suspend);
        for number in [13, 25] {
            assert_eq!(meaning(number, 0, false), Meaning::Nothing);
        }
    }

    #[test]
    fn what_the_caller_ignores_does_nothing() {
        for number in [1, 2, 3, 15, 18, 34] {
            assert_eq!(meaning(number, 0, true), Meaning::Nothing, "{number}");
        }
    }
}
