//! Writing to the standard streams.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::wording::failure::Failure;
use crate::wording::typed::as_typed;

/// Whether `--debug` was given.
static DEBUG: AtomicBool = AtomicBool::new(false);

/// Lets [`debug`] write from now on.
pub(crate) fn enable_debug() {
    DEBUG.store(true, Ordering::Relaxed);
}

/// Writes what only `--debug` shows to standard error.
pub(crate) fn debug(text: impl FnOnce() -> String) {
    if DEBUG.load(Ordering::Relaxed) {
        error(&format!("debug: {}\n", text()));
    }
}

/// Writes text to standard output.
///
/// # Errors
/// If it can't be written, such as to a full disk.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes bytes to standard output as they are.
///
/// # Errors
/// As [`text`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::Other(format!("cannot write to standard output: {error}")))
}

/// Writes a line to standard output.
pub(crate) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Writes a value as indented JSON to standard output.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Other(format!("cannot write as JSON: {error}")))?;
    line(&json)
}

/// Writes text to standard error. Where that fails there is nobody left to tell.
pub(crate) fn error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a warning to standard error.
pub(crate) fn warn(text: &str) {
    error(&format!("warning: {}\n", as_typed(text)));
}
