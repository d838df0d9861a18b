//! Signals to the apps of a running pod.

use std::io;

use pod::control::{Request, Response};
use pod::manifest::{Lifetime, PodManifest};
use pod::signal::SignalNumber;
use pod::{AppName, PodEntry, PodError, State};

use super::connection::{PATIENCE, ask, connect_when_up, unexpected};
use super::{ending, known_app};
use crate::config::directories::Directories;
use crate::error::Error;

/// Sends a signal to the main process of one app of a pod, or of each. Where SIGKILL ends the pod, its end is waited
/// for: what follows finds a pod that has ended.
///
/// # Errors
/// If the pod doesn't run, has no such app, or its monitor can't be asked.
pub fn send(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
    signal: SignalNumber,
) -> Result<(), Error> {
    let not_running = |state| Error::State {
        uuid: entry.uuid,
        operation: "sent a signal",
        state,
    };
    match entry.state()? {
        State::Running => {}
        state => return Err(not_running(state)),
    }
    known_app::require(entry, app)?;
    let ends = app.is_none() && signal == SignalNumber::KILL && ends_with_apps(entry)?;
    let connection =
        connect_when_up(entry, directories)?.ok_or_else(|| not_running(State::Exited))?;
    let request = Request::Signal {
        app: app.cloned(),
        signal,
    };
    match ask(&connection, &request)? {
        Some(Response::Done) if ends => ending::wait(entry, connection, Some(PATIENCE)).map(drop),
        Some(Response::Done) | None => Ok(()),
        Some(other) => Err(unexpected(&other)),
    }
}

fn ends_with_apps(entry: &PodEntry) -> Result<bool, Error> {
    match PodManifest::load(&entry.path) {
        Ok(manifest) => Ok(manifest.lifetime == Lifetime::WithApps),
        // It has ended and gone since it was looked at.
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
