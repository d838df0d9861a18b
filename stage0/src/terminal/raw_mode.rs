//! The user's terminal: raw while a command inside of a pod has it, and as it was afterwards.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use pod::control::WindowSize;

use crate::sys;
use crate::wording::failure::Failure;

/// Standard input in raw mode; put back when this is dropped.
#[derive(Debug)]
pub(crate) struct RawMode {
    before: Termios,
}

impl RawMode {
    /// Makes standard input raw; `None` if it is no terminal.
    ///
    /// # Errors
    /// If the terminal refuses.
    pub(crate) fn enter() -> Result<Option<Self>, Failure> {
        let failed = |errno: Errno| Failure::Other(format!("cannot set the terminal: {errno}"));
        let before = match tcgetattr(io::stdin().as_fd()) {
            Ok(before) => before,
            Err(Errno::ENOTTY | Errno::EINVAL) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &raw).map_err(failed)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to put back.
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &self.before);
    }
}

/// The size of the terminal behind standard input or output, if one is there.
pub(crate) fn window_size() -> Option<WindowSize> {
    let (rows, cols) = sys::window_size(io::stdin())
        .or_else(|_| sys::window_size(io::stdout()))
        .ok()?;
    Some(WindowSize { rows, cols })
}
