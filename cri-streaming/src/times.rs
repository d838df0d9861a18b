//! How long the parts of a session may take.

use std::time::Duration;

/// The times of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// From the upgrade until all streams are there; for ports, from one of a pair to the other.
    pub(crate) creation: Duration,
    /// For a port that takes nothing and thereby holds up other ports of its client.
    pub(crate) stalled: Duration,
    /// Without a byte in either direction.
    pub(crate) idle: Duration,
}
