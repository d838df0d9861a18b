//! A pod of which nobody can tell what it uses.

use pod::{PodError, PodUuid, State};

/// A pod that does not tell what it uses.
#[derive(Debug, thiserror::Error)]
#[error("nobody can tell what pod {uuid} uses, which {}: {reason}", state.in_words())]
pub struct UnreadablePod {
    /// The pod.
    pub uuid: PodUuid,
    /// Its state.
    pub state: State,
    /// Why not.
    pub reason: PodError,
}
