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
    };
    let (report, errors) = attacher.gc(&is_kept, after);
    (report, errors.into_iter().map(Error::from).collect())
}
