//! Clearing of what dead pods hold of networks: addresses, links, rules, ports.

use cni_glue::attach::GcReport;
use cni_glue::id::ContainerId;
pub use cni_glue::runtime::AfterFailure;
use pod::PodUuid;

use crate::engine::Engine;
use crate::error::Error;

/// Clears it, but nothing of the pods of which it is known that they can't be cleared. What was cleared, and the
/// failures that came up; the rest is done.
pub fn clear(engine: &Engine, hopeless: &[PodUuid], after: AfterFailure) -> (GcReport, Vec<Error>) {
    let attacher = engine.attacher();
    // Nothing was ever joined since the machine started.
    if !attacher.runtime.state.exists() {
        return (GcReport::default(), Vec::new());
    }
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

/// Whether a container is a pod of another `FAIRING_DIR` that uses this `FAIRING_RUN_DIR`: there, what it left is known.
/// Its runtime directory goes when it has left its networks.
fn is_elsewhere(engine: &Engine, container: &ContainerId) -> bool {
    let Ok(uuid) = container.as_str().parse::<PodUuid>() else {
        return false;
    };
    engine.directories.pod_run(uuid).exists() && matches!(engine.pods().by_uuid(uuid), Ok(None))
}
