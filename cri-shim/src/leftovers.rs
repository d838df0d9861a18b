//! What a shim has left that was killed: pods on their way out, and names of pods that are gone.

use std::sync::Arc;
use std::thread;

use engine::pods::sweep::{Swept, finish};

use crate::journal::{self, Journal, Priority};
use crate::shim::Shim;

/// Clears it, in a thread that nobody waits for.
pub(crate) fn clear(shim: Arc<Shim>) {
    let clear = move || {
        finish(&shim.engine, &Journal, &mut |swept| {
            if let Swept::Failed(_, error) = swept {
                journal::line(Priority::Warning, &format!("warning: {error}"));
            }
        });
    };
    let started = thread::Builder::new()
        .name("leftovers".to_owned())
        .spawn(clear);
    if let Err(error) = started {
        journal::line(
            Priority::Warning,
            &format!(
                "warning: what an earlier process has left stays until `fairing gc`: cannot start a thread: {error}"
            ),
        );
    }
}
