//! Taking all of something that the machine has for everybody.

use std::fs::OpenOptions;

use std::time::Duration;

use crate::sys::{error_name, fork_without_end, kill_all};

/// Opens pseudo-terminals until there are no more, or these are enough.
pub(crate) fn terminals(enough: usize) -> String {
    let mut open = Vec::new();
    loop {
        match OpenOptions::new().read(true).write(true).open("/dev/ptmx") {
            Ok(terminal) => open.push(terminal),
            Err(error) => return format!("{} terminals, then {}", open.len(), error_name(&error)),
        }
        if open.len() >= enough {
            return format!("{} terminals", open.len());
        }
    }
}

/// Lets processes without number fork without end, leave their sessions and be killed at once, again and again.
pub(crate) fn bomb() -> ! {
    loop {
        fork_without_end();
        std::thread::sleep(Duration::from_millis(200));
        kill_all();
    }
}
