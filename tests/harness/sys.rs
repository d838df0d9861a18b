//! What the compiler can't check.
#![allow(unsafe_code)]

use std::sync::Once;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Those by which shells and others keep what they put into the background from ending.
const OFTEN_IGNORED: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Undoes what whoever started the tests ignores: commands would inherit it, and ignore what tests send them.
pub(crate) fn hear_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for number in OFTEN_IGNORED {
            // SAFETY: the default runs no code of ours, and replaces none: the tests handle no signals.
            let _ = unsafe { signal(number, SigHandler::SigDfl) };
        }
    });
}
