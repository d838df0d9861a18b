//! When images are fetched.

use engine::images::choice::Pull;

use crate::kubernetes::PullPolicy;

/// When an image is fetched.
pub(super) fn pull(policy: PullPolicy) -> Pull {
    match policy {
        PullPolicy::Always => Pull::Always,
        PullPolicy::Newer => Pull::Newer,
        PullPolicy::IfNotPresent => Pull::Missing,
        PullPolicy::Never => Pull::Never,
    }
}
