//! Warnings of what apps are given.

use pod::manifest::{App, PodManifest};

use crate::observer::{Observer, Warning};

/// Says what widens what an app may do.
pub(super) fn warn_of_widened(app: &App, observer: &dyn Observer) {
    let by = app.widened();
    if !by.is_empty() {
        observer.warning(Warning::Widened {
            app: app.name.clone(),
            by,
        });
    }
}

/// Says what a pod shares with the host beside its network.
pub(super) fn warn_of_shared(pod: &PodManifest, observer: &dyn Observer) {
    let by = pod.widened();
    if !by.is_empty() {
        observer.warning(Warning::Shared { by });
    }
}
