//! Signals that the monitor takes one by one.

use std::collections::BTreeSet;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use crate::failure::StartFailure;

/// Signals that the monitor handles; they wait in its signal descriptor.
pub(super) fn handled_signals() -> SigSet {
    let handled = [
        // Another pod came or went.
        Signal::SIGIO,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
    ];
    handled
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

pub(super) fn block_signals() -> Result<(), StartFailure> {
    let mut blocked = handled_signals();
    // A file that may not grow costs what was to be written, as a full disk does, and not the pod.
    blocked.add(Signal::SIGXFSZ);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)
        .map_err(StartFailure::os("block signals"))
}
