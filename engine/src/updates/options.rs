//! How services are updated.

use std::time::Duration;

/// How to update.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether services that don't come up get their old images back.
    pub rollback: bool,
    /// Whether digests are tried once more with which services did not come up.
    pub again: bool,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// How long a service may take to come up.
    pub limit: Duration,
    /// For how long it has to be ready.
    pub settle: Duration,
}
