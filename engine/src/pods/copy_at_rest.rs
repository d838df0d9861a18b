//! Copying files out of pods that don't run, and into them.

use std::process::Child;

use pod::control::CopyRequest;
use pod::manifest::PodManifest;
use pod::{LockedPod, PodEntry, State};

use super::entry_point::{Called, run_copy};
use crate::engine::Engine;
use crate::error::Error;
use crate::isolators::find as isolator;

/// A process of the isolator's that copies.
#[derive(Debug)]
pub struct CopyAtRest {
    /// It, with pipes for its standard streams.
    pub child: Child,
    /// The lock of a pod that nobody may start meanwhile.
    pub pod: Option<LockedPod>,
}

/// Has the isolator of a pod copy files, as a running pod does: what it tells stands on its standard error. A pod that was
/// prepared is not started meanwhile.
///
/// # Errors
/// If the pod runs or goes, or its isolator doesn't do that.
pub fn copy(engine: &Engine, entry: &PodEntry, request: &CopyRequest) -> Result<CopyAtRest, Error> {
    let refused = |state| Error::State {
        uuid: entry.uuid,
        operation: "copied from or to",
        state,
    };
    let pod = match entry.state()? {
        State::Exited => None,
        State::Prepared => Some(engine.pods().lock(entry)?),
        state => return Err(refused(state)),
    };
    let called = pod.as_ref().map_or(Called::ended(entry), Called::locked);
    let manifest = PodManifest::load(&entry.path)?;
    let directories = &engine.directories;
    let stage1 = isolator::of_pod(&manifest.stage1, directories)?;
    let child = run_copy(&called, &stage1, directories, request)?;
    Ok(CopyAtRest { child, pod })
}
