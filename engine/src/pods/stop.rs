//! Ending a pod that runs.

use std::fs;
use std::time::Duration;

use pod::control::{Request, Response};
use pod::exit::PodExit;
use pod::lock::PodLock;
use pod::manifest::PodManifest;
use pod::network::HUNG_FILE;
use pod::seqpacket::SeqPacket;
use pod::{PodEntry, PodError};

use super::connection::{ask_waiting, connect_briefly, connect_when_up, unexpected};
use super::ending;
use super::monitor::Monitor;
use super::removal::clear_elsewhere;
use crate::config::directories::Directories;
use crate::engine::Engine;
use crate::error::{Clearing, Error, MonitorError};
use crate::observer::Observer;

/// How long a monitor that is told to end its pod at once may take.
const FORCED: Duration = Duration::from_secs(5);
/// The same of one whose pod runs in a virtual machine, which gets some seconds to end by itself.
const FORCED_MACHINE: Duration = Duration::from_secs(15);

/// How a pod is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The stop signal, and SIGKILL after the pod's own grace period, or after this one.
    Gracefully(Option<Duration>),
    /// SIGKILL at once; a monitor that does not react is killed itself.
    AtOnce,
}

/// Ends a running pod; returns when nothing of it runs any more.
///
/// # Errors
/// If it does not end; [`PodError::Locked`] if it has no monitor to be killed, and is held by another command.
pub fn stop(entry: &PodEntry, directories: &Directories, how: Stop) -> Result<(), Error> {
    let connected = match how {
        Stop::AtOnce => connect_briefly(entry, directories),
        Stop::Gracefully(_) => connect_when_up(entry, directories),
    };
    let connection = match connected {
        Ok(Some(connection)) => connection,
        Ok(None) => return ending::wait_for_lock(entry),
        Err(Error::Monitor(MonitorError::Deaf(_) | MonitorError::Busy { .. }))
            if how == Stop::AtOnce =>
        {
            return kill_unasked(entry);
        }
        Err(error) => return Err(error),
    };
    let monitor = Monitor::of(&connection)?;
    let grace = match how {
        Stop::AtOnce => Some(Duration::ZERO),
        Stop::Gracefully(grace) => grace,
    };
    let request = Request::Stop {
        grace_ms: grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
    };
    if let Stop::Gracefully(_) = how {
        let word = |connection: &SeqPacket, patience| monitor.wait_for_word(connection, patience);
        return match ask_waiting(&connection, &request, word)? {
            Some(Response::Done) | None => {
                ending::wait_by(entry, connection, None, word)?;
                monitor.wait()
            }
            Some(other) => Err(unexpected(&other)),
        };
    }
    // An answer is not waited for: the monitor may be stopped itself.
    let _ = connection.send(&request, &[]);
    let machine = PodManifest::load(&entry.path).is_ok_and(|pod| pod.virtual_machine.is_some());
    let patience = if machine { FORCED_MACHINE } else { FORCED };
    if !ending::wait(entry, connection, Some(patience))? {
        // The kernel ends the pod with its monitor.
        monitor.kill()?;
        ending::wait_for_lock(entry)?;
    }
    monitor.wait()
}

/// Ends what still runs of a pod whose monitor was killed, as an app of a pod without namespaces may. Whether there was
/// anything to clear up.
///
/// # Errors
/// If the pod is in use, or its isolator fails.
pub fn end_remains(
    entry: &PodEntry,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<bool, Error> {
    // A monitor that ends in good order removes its runtime directory and writes the record.
    let left = engine.directories.pod_run(entry.uuid).exists();
    if left || PodExit::load_if_whole(&entry.path)?.is_none() {
        let pod = engine.pods().lock(entry)?;
        let cleared = clear_elsewhere(&pod, Clearing::End, engine, observer);
        pod.release();
        cleared?;
    }
    Ok(left)
}

/// Whether a pod's monitor, which has just ended, had to leave it in a network whose plugin hung. Whoever has waited for that
/// should not wait once more: the next call has the plugin asked again.
///
/// # Errors
/// [`MonitorError::Hung`] if so.
pub fn refuse_hung(entry: &PodEntry, directories: &Directories) -> Result<(), Error> {
    match fs::read_to_string(directories.pod_run(entry.uuid).join(HUNG_FILE)) {
        Ok(said) => Err(MonitorError::Hung {
            uuid: entry.uuid,
            said,
        }
        .into()),
        // There is none, or nobody can tell.
        Err(_) => Ok(()),
    }
}

/// Kills a monitor that can't be connected to: it may be stopped itself. Whoever else holds the pod works on it.
fn kill_unasked(entry: &PodEntry) -> Result<(), Error> {
    match Monitor::holding(entry)? {
        Some(monitor) => {
            monitor.kill()?;
            ending::wait_for_lock(entry)?;
            monitor.wait()
        }
        None if PodLock::is_held(&entry.path)? => Err(PodError::Locked(entry.uuid).into()),
        None => Ok(()),
    }
}
