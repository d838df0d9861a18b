//! Clearing of what dead pods hold of networks: addresses, links, rules, ports.

use cni_glue::attach::{Attacher, GcReport};
use cni_glue::id::ContainerId;
pub use cni_glue::runtime::AfterFailure;
use pod::exit::PodExit;
use pod::{Phase, PodUuid};

use crate::engine::Engine;
use crate::error::Error;

/// Clears it, but nothing of the pods of which it is known that they can't be cleared. What was cleared, and the
/// failures that came up; the rest is done.
pub fn clear(engine: &Engine, hopeless: &[PodUuid], after: AfterFailure) -> (GcReport, Vec<Error>) {
    let attacher = engine.attacher();
    let (report, mut errors) = match attacher.runtime.state.exists() {
        true => clear_joined(engine, &attacher, hopeless, after),
        // Nothing was ever joined since the machine started.
        false => (GcReport::default(), Vec::new()),
    };
    if after == AfterFailure::Forget {
        errors.extend(forget(engine).err());
    }
    (report, errors)
}

fn clear_joined(
    engine: &Engine,
    attacher: &Attacher,
    hopeless: &[PodUuid],
    after: AfterFailure,
) -> (GcReport, Vec<Error>) {
    let pods = engine.pods();
    let hopeless: Vec<_> = hopeless.iter().map(PodUuid::to_string).collect();
    let is_kept = |container: &ContainerId| {
        hopeless.iter().any(|uuid| uuid == container.as_str())
            || pod::network::is_live(&pods, container)
            || is_elsewhere(engine, container)
    };
    let (report, errors) = attacher.gc(&is_kept, after);
    (report, errors.into_iter().map(Error::from).collect())
}

/// Forgets which networks killed pods had joined, also before the machine was booted, so that no plugin is asked for them
/// again.
fn forget(engine: &Engine) -> Result<(), Error> {
    let pods = engine.pods();
    let mut entries = pods.in_phase(Phase::Run)?;
    entries.extend(pods.in_phase(Phase::Garbage)?);
    for entry in entries {
        if PodExit::load_if_whole(&entry.path)?.is_some() {
            continue;
        }
        // Nobody has one that is dead; who starts it again meanwhile holds it.
        let Ok(pod) = pods.lock(&entry) else {
            continue;
        };
        pod::network::forget(pod.path())?;
    }
    Ok(())
}

/// Whether a container is a pod of another `FAIRING_DIR` that uses this `FAIRING_RUN_DIR`: there, what it left is known.
/// Its runtime directory goes when it has left its networks.
fn is_elsewhere(engine: &Engine, container: &ContainerId) -> bool {
    let Ok(uuid) = container.as_str().parse::<PodUuid>() else {
        return false;
    };
    engine.directories.pod_run(uuid).exists() && matches!(engine.pods().by_uuid(uuid), Ok(None))
}
