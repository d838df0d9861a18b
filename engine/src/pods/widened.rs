//! Warnings of what apps are given.

use pod::manifest::{App, PodManifest};
use pod::stage1::Stage1;

use crate::observer::{Observer, Warning};

/// Says what widens what an app of a pod may do.
pub(super) fn warn_of_widened(app: &App, pod: &PodManifest, observer: &dyn Observer) {
    let by = app.widened();
    if !by.is_empty() {
        observer.warning(Warning::Widened {
            app: app.name.clone(),
            by,
            has_users_of_host: pod.user_namespace.is_none() && pod.virtual_machine.is_none(),
        });
    }
}

/// Says what a pod shares with the host beside its network, and what widens what its apps may do.
pub(super) fn warn_of_all(pod: &PodManifest, stage1: &Stage1, observer: &dyn Observer) {
    let by = pod.widened();
    if !stage1.manifest.isolates {
        observer.warning(Warning::Unisolated {
            isolator: stage1.manifest.name.clone(),
            by,
        });
        return;
    }
    if !by.is_empty() {
        observer.warning(Warning::Shared { by });
    }
    pod.apps
        .iter()
        .for_each(|app| warn_of_widened(app, pod, observer));
}
