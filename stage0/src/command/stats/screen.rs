//! A table that is written anew in the same place, on a terminal.

use std::io::{self, IsTerminal};

use crate::console::output::{self, Stream};
use crate::sys;
use crate::wording::failure::Failure;

/// The cursor to the upper left corner. What was there is written over: an empty screen in between would flicker.
const HOME: &[u8] = b"\x1b[H\x1b[2J";

/// Where tables are shown.
#[derive(Debug)]
pub(super) struct Screen {
    is_redrawn: bool,
}

impl Screen {
    pub(super) fn new(stays: bool) -> Self {
        Self {
            is_redrawn: !stays && io::stdout().is_terminal(),
        }
    }

    /// Before a table.
    ///
    /// # Errors
    /// If nothing can be written.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        match self.is_redrawn {
            true => output::write(Stream::Stdout, HOME)
                .map_err(Failure::errno("write to", Stream::Stdout.name())),
            false => Ok(()),
        }
    }

    /// How many lines there is room for.
    pub(super) fn lines(&self) -> Option<usize> {
        let size = self.is_redrawn.then(|| sys::window_size(io::stdout()))?;
        let (rows, _) = size.ok()?;
        // The last line is where the cursor stays.
        Some(usize::from(rows).saturating_sub(1).max(2))
    }
}
