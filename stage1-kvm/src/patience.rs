//! How long a machine may take.

use std::time::Duration;

use pod::manifest::Accelerator;

/// For its first word, and again for the start of the apps. A translated one takes seconds, and many times that where
/// many are started at once.
pub(crate) fn patience(accelerator: Accelerator) -> Duration {
    Duration::from_secs(match accelerator {
        Accelerator::Kvm => 30,
        Accelerator::Tcg => 120,
    })
}
