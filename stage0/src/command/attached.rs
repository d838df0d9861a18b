//! What commands that attach to an app have in common: what they ask for, and how they end.

use engine::pods::ending;
use pod::control::AttachRequest;
use pod::manifest::{Lifetime, PodManifest, Streams};
use pod::{AppName, PodEntry};

use crate::context::Context;
use crate::terminal::attachment::Ended;
use crate::terminal::raw_mode::window_size;
use crate::wording::failure::Failure;

/// What is asked of the monitor of a pod in the background: its input too, if the app was started with one.
pub(super) fn request(manifest: &PodManifest, app: AppName, wants_input: bool) -> AttachRequest {
    // The input of a pod in the foreground is its user's.
    let has_input = manifest.streams == Streams::Log
        && manifest.app(&app).is_some_and(|app| app.execution.stdin);
    AttachRequest {
        app: Some(app),
        stdin: has_input && wants_input,
        size: window_size(),
        at_start: false,
    }
}

/// The exit code. Where the end of the app is the pod's, whoever looks next finds a pod that has ended.
pub(super) fn end(
    context: &Context,
    entry: &PodEntry,
    manifest: &PodManifest,
    ended: Ended,
) -> Result<u8, Failure> {
    let code = match ended {
        Ended::Left(code) => return Ok(code),
        Ended::App(code) => code,
    };
    if manifest.lifetime == Lifetime::WithApps
        && manifest.apps.len() == 1
        && let Some(entry) = context.engine.pods().by_uuid(entry.uuid)?
    {
        ending::wait_for_lock(&entry)?;
    }
    Ok(code)
}
