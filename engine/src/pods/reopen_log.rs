//! Logs that somebody has renamed.

use pod::control::Request;
use pod::{AppName, PodEntry};

use super::pause::tell;
use crate::config::directories::Directories;
use crate::error::Error;

/// Has the log of an app opened anew at its path.
///
/// # Errors
/// If the pod doesn't run or has no such app, or the file can't be made.
pub fn reopen_log(entry: &PodEntry, directories: &Directories, app: &AppName) -> Result<(), Error> {
    let request = Request::ReopenLog {
        app: Some(app.clone()),
    };
    tell(
        entry,
        directories,
        Some(app),
        "told to open logs anew",
        &request,
    )
}
