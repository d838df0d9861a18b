//! How a program of fairing's begins: without the standard library's own entry (`no_main`), which looks for the end of the
//! stack in `/proc` and sets a second one up for the case that it overflows: that takes a twentieth of a start that lasts
//! one millisecond, and there are three such programs in the start of a pod.

use std::os::fd::IntoRawFd;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::sys;

/// Defines where the C library begins a program that is `no_main`: `$run` gets the [`ClosedStreams`],
/// and its result becomes the exit code. See the module [`entry`](mod@crate::entry).
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        // SAFETY: a program has one function that is called so for the C library, and it is called as it is declared.
        #[allow(unsafe_code)]
        #[cfg_attr(test, allow(dead_code))]
        #[cfg_attr(not(test), unsafe(export_name = "main"))]
        extern "C" fn begin_program() -> ::std::ffi::c_int {
            ::std::process::exit($run($crate::entry::begin()).into())
        }
    };
}

/// Which of the three standard streams were closed when the program began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClosedStreams(pub [bool; 3]);

/// What the standard library's entry does and programs rely on: opens what leads nowhere in the place of each standard stream
/// that is closed, so that no file gets its number; and makes a write to a pipe that nobody reads an error instead of the
/// end. To be called first of all.
pub fn begin() -> ClosedStreams {
    sys::ignore_closed_pipes();
    let mut closed = [false; 3];
    for (number, is_closed) in (0..).zip(&mut closed) {
        *is_closed = !sys::is_open(number);
        if *is_closed && let Ok(null) = openat(CWD, "/dev/null", OFlags::RDWR, Mode::empty()) {
            // The lowest number that is free is the stream's, which is to stay open, also across exec.
            let _ = null.into_raw_fd();
        }
    }
    ClosedStreams(closed)
}
