//! How long a machine may take.

use std::time::Duration;

use pod::manifest::Accelerator;

/// How long pod init in it has to end the pod beyond the grace period.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// For its first word, and again for the start of the apps. A translated one takes seconds, and many times that where
/// many are started at once.
pub(crate) fn patience(accelerator: Accelerator) -> Duration {
    Duration::from_secs(match accelerator {
        Accelerator::Kvm => 30,
        Accelerator::Tcg => 120,
    })
}
