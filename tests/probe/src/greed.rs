//! Taking all of something that the machine has for everybody.

use std::fs::OpenOptions;

use crate::sys::error_name;

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
