//! Waiting for how a pod or one of its apps ends.

use pod::control::{Request, Response};
use pod::exit::{AppStatus, PodExit};
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, PodError, State};

use super::connection::{connect_when_up, unexpected};
use super::{ending, known_app};
use crate::config::directories::Directories;
use crate::error::Error;

/// Waits until a pod, or an app of it, has ended; gives the exit code. `None` if nobody knows: it was killed.
///
/// # Errors
/// If it has not been started, there is no such app, or its monitor can't be asked.
pub fn wait(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
) -> Result<Option<i32>, Error> {
    match entry.state()? {
        State::Running => {
            known_app::require(entry, app)?;
            if let Some(connection) = connect_when_up(entry, directories)?
                && let Some(code) = answer(entry, connection, app)?
            {
                return Ok(Some(code));
            }
        }
        State::Exited => {}
        state => {
            return Err(Error::State {
                uuid: entry.uuid,
                operation: "waited for",
                state,
            });
        }
    }
    recorded(entry, app)
}

/// What the monitor says of the end; `None` if it goes without a word.
fn answer(
    entry: &PodEntry,
    connection: SeqPacket,
    app: Option<&AppName>,
) -> Result<Option<i32>, Error> {
    match connection.send(&Request::Wait { app: app.cloned() }, &[]) {
        // It listens no more, and is about to write down how it ended.
        Err(PodError::Ended) => {
            ending::wait_for_lock(entry)?;
            return Ok(None);
        }
        other => other?,
    }
    match connection.recv::<Response>()? {
        Some((Response::PodEnded { exit_code }, _)) => {
            // Whoever asks next finds a pod that has ended.
            ending::wait(entry, connection, None)?;
            Ok(Some(exit_code))
        }
        Some((Response::AppEnded { outcome, .. }, _)) => Ok(outcome.map(|how| how.exit_code())),
        Some((Response::Refused { kind, message }, _)) => Err(Error::Refusing { kind, message }),
        Some((other, _)) => Err(unexpected(&other)),
        None => {
            ending::wait_for_lock(entry)?;
            Ok(None)
        }
    }
}

/// What the pod's records say.
pub(super) fn recorded(entry: &PodEntry, app: Option<&AppName>) -> Result<Option<i32>, Error> {
    let Some(app) = app else {
        return Ok(PodExit::load(&entry.path)?.map(|exit| exit.exit_code));
    };
    known_app::require(entry, Some(app))?;
    Ok(AppStatus::load(&entry.path, app)?.map(|status| status.exit_code))
}
