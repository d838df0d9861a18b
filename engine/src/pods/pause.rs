//! Stopping the processes of a running pod for a while.

use pod::control::{Request, Response};
use pod::manifest::PodManifest;
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, State};

use super::connection::{ask, connect_when_up, unexpected};
use super::known_app;
use crate::config::directories::Directories;
use crate::error::Error;
use crate::isolators::find;

/// Freezes all processes of one app, or of all that run. Those that are frozen stay so.
///
/// # Errors
/// If the pod doesn't run, has no such app, or something of it does not stop.
pub fn pause(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
) -> Result<(), Error> {
    let request = Request::Pause { app: app.cloned() };
    tell(entry, directories, app, "paused", &request)
}

/// An app whose processes are frozen for as long as this is there, and this process too.
#[derive(Debug)]
pub struct Held {
    _connection: SeqPacket,
}

/// Freezes the processes of an app for a while. Those that are frozen already stay so for longer.
///
/// # Errors
/// As [`pause`].
pub fn hold(entry: &PodEntry, directories: &Directories, app: &AppName) -> Result<Held, Error> {
    let request = Request::Hold { app: app.clone() };
    let connection = told(entry, directories, Some(app), "paused", &request)?;
    Ok(Held {
        _connection: connection,
    })
}

/// Lets them go on.
///
/// # Errors
/// If the pod doesn't run, or has no such app.
pub fn resume(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
) -> Result<(), Error> {
    let request = Request::Resume { app: app.cloned() };
    tell(entry, directories, app, "resumed", &request)
}

/// Has a running pod do something with an app, or with all.
pub(super) fn tell(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
    operation: &'static str,
    request: &Request,
) -> Result<(), Error> {
    told(entry, directories, app, operation, request).map(drop)
}

/// As [`tell`], with the connection.
fn told(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
    operation: &'static str,
    request: &Request,
) -> Result<SeqPacket, Error> {
    let not_running = |state| Error::State {
        uuid: entry.uuid,
        operation,
        state,
    };
    match entry.state()? {
        State::Running => {}
        state => return Err(not_running(state)),
    }
    known_app::require(entry, app)?;
    // One without a manifest has ended meanwhile.
    if let Ok(manifest) = PodManifest::load(&entry.path) {
        let needed = request.feature().into_iter().collect();
        find::of_pod(&manifest.stage1, directories)?.require(&needed)?;
    }
    let connection =
        connect_when_up(entry, directories)?.ok_or_else(|| not_running(State::Exited))?;
    match ask(&connection, request)? {
        Some(Response::Done) => Ok(connection),
        None => Err(not_running(State::Exited)),
        Some(other) => Err(unexpected(&other)),
    }
}
