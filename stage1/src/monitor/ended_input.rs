//! The end of what a terminal's app reads, said once more where the terminal forgets it.
//!
//! A terminal in line mode takes the character as the end. If the app then switches line mode off before it reads, as
//! shells with an editor do, what it finds is no end any more. So it is said again in that mode, where such programs take
//! the character itself for the end.

use std::os::fd::OwnedFd;

use rustix::io::write;
use rustix::termios::{LocalModes, tcgetattr};

use super::pump::EOT;

/// A terminal in line mode that has been told of the end.
#[derive(Debug)]
pub(super) struct EndedInput(OwnedFd);

impl EndedInput {
    /// `None` if it is not in line mode: then the app has the character.
    pub(super) fn of(terminal: OwnedFd) -> Option<Self> {
        let ended = Self(terminal);
        ended.is_in_line_mode().then_some(ended)
    }

    /// Its app has written something, such as a prompt. Whether it need not be told any more.
    pub(super) fn app_wrote(&self) -> bool {
        if self.is_in_line_mode() {
            return false;
        }
        // What can't be written now has no reader.
        let _ = write(&self.0, &[EOT]);
        true
    }

    fn is_in_line_mode(&self) -> bool {
        tcgetattr(&self.0).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ICANON))
    }
}
