//! What can go wrong with a pod's network.

use nix::errno::Errno;

/// A failure on a network namespace or a link.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}: {source}")]
pub struct NetworkError {
    /// What was tried, as a verb phrase.
    pub operation: &'static str,
    /// The kernel's answer.
    pub source: Errno,
}

impl NetworkError {
    /// For `map_err`.
    pub(crate) fn at(operation: &'static str) -> impl FnOnce(Errno) -> Self {
        move |source| Self { operation, source }
    }
}
