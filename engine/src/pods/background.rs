//! Pods in the background of a process that goes on: their monitors are nobody's children but init's.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::SigSet;
use nix::unistd::pipe2;
use pod::activation::ActivationSockets;
use pod::manifest::{CRI_ANNOTATION, PodManifest};
use pod::{PodError, PodUuid};

use super::connection::wait_readable;
use super::ending::wait_for_lock;
use super::prepare::Prepared;
use super::readiness::{self, READINESS_MAX};
use super::removal::{clear_elsewhere, remove_left};
use super::start::{Handover, Launch};
use super::stop::{Stop, stop};
use crate::engine::Engine;
use crate::error::{Clearing, Error, MonitorError};
use crate::observer::Observer;

/// Starts a prepared pod: its monitor is a process in a session of its own, and no child of this one. Returns when the pod
/// is up.
///
/// # Errors
/// Why it did not come up, perhaps that it took longer than `patience`; nothing of it is left then, but of a sandbox that
/// could not be taken out of a network.
pub fn start(
    prepared: Prepared,
    engine: &Engine,
    patience: Duration,
    observer: &dyn Observer,
) -> Result<PodUuid, Error> {
    let Prepared {
        pod, stage1, pin, ..
    } = prepared;
    let uuid = pod.uuid();
    let failed = |source: std::io::Error| MonitorError::Spawn { source };
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let sockets = ActivationSockets::default();
    let handover = Handover {
        sockets: &sockets,
        ready: Some(writer.as_fd()),
        client: None,
        blocked: SigSet::empty(),
        service: None,
        machined: false,
        hint: None,
    };
    let launch = Launch::new(pod, &stage1, &engine.directories, handover)?;
    let mut command = launch.command();
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let spawned = command.spawn_detached();
    drop(command);
    spawned.map_err(failed)?;
    launch.started();
    drop(writer);
    // The pod is on record: its images are in use.
    drop(pin);
    match report(File::from(reader), patience) {
        Ok(Some(bytes)) => {
            let up = readiness::parse(&bytes).map(|()| uuid);
            up.inspect_err(|_| {
                // A monitor that was killed, perhaps since nobody wants the pod any more, has undone nothing. The first
                // failure is the one to tell of; `gc`, or the kubelet of a sandbox, repeats this one.
                let _ = clear(uuid, engine, observer);
            })
        }
        other => {
            if let Some(entry) = engine.pods().by_uuid(uuid)? {
                stop(&entry, &engine.directories, Stop::AtOnce)?;
            }
            clear(uuid, engine, observer)?;
            Err(other
                .err()
                .unwrap_or_else(|| MonitorError::Mute(patience).into()))
        }
    }
}

/// Removes what is left of a pod that did not come up, once its monitor has ended.
///
/// # Errors
/// If something of it can't be removed; `gc` tries again.
pub fn clear(uuid: PodUuid, engine: &Engine, observer: &dyn Observer) -> Result<(), Error> {
    if let Some(entry) = engine.pods().by_uuid(uuid)? {
        wait_for_lock(&entry)?;
        // A sandbox that can't be taken out of a network stays, and with it what is known of that. One whose manifest can't
        // be read may be one.
        if PodManifest::load(&entry.path).map_or(true, |manifest| {
            manifest.annotations.contains_key(CRI_ANNOTATION)
        }) {
            match engine.pods().lock(&entry) {
                Ok(pod) => {
                    let cleared = clear_elsewhere(&pod, Clearing::End, engine, observer);
                    pod.release();
                    cleared?;
                }
                // Its monitor had begun to remove it.
                Err(PodError::NoSuchPod(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    remove_left(uuid, engine, observer)
}

/// What the monitor reports; `None` if it doesn't within that time.
fn report(mut reader: File, patience: Duration) -> Result<Option<Vec<u8>>, Error> {
    let deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    while bytes.len() < READINESS_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if !wait_readable(&reader, Some(left))? {
            return Ok(None);
        }
        match reader.read(&mut some) {
            Ok(0) => break,
            Ok(count) => bytes.extend(some.iter().take(count)),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(MonitorError::Wait(source).into()),
        }
    }
    Ok(Some(bytes))
}
