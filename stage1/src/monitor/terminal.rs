//! The user's terminal, when an app has one.

use nix::sys::signal::Signal;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use pod::control::WindowSize;
use rustix::stdio::{stdin, stdout};

use crate::sys::with_unblocked;

/// The user's terminal in raw mode; as it was before once this is dropped.
#[derive(Debug)]
pub(super) struct RawTerminal(Termios);

impl RawTerminal {
    /// Makes standard input raw. `None` if it is not a terminal.
    pub(super) fn enter() -> Option<Self> {
        let raw = Self(tcgetattr(stdin()).ok()?);
        raw.enter_again().then_some(raw)
    }

    /// The same once more; whether that could be done. Who is in the background is stopped there, until the terminal is its own.
    pub(super) fn enter_again(&self) -> bool {
        let mut raw = self.0.clone();
        cfmakeraw(&mut raw);
        let set = || tcsetattr(stdin(), SetArg::TCSANOW, &raw);
        with_unblocked(Signal::SIGTTOU, set).is_ok_and(|set| set.is_ok())
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// The size of the terminal that standard output or input is.
pub(super) fn window_size() -> Option<WindowSize> {
    [stdout(), stdin()].into_iter().find_map(|stream| {
        let size = rustix::termios::tcgetwinsize(stream).ok()?;
        Some(WindowSize {
            rows: size.ws_row,
            cols: size.ws_col,
        })
    })
}
