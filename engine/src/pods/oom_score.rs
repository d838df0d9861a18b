//! How soon the kernel kills an app when memory is short.

use std::fs;

use pod::manifest::{App, Capability, PodManifest};

use super::security::permitted;
use crate::observer::{Observer, Warning};

/// Says where an app of the pod will be killed sooner than was asked for: only who has the right may lower it. In a user
/// namespace of its own no pod has it, and in a machine of its own each.
pub(super) fn warn_if_clamped(app: &App, pod: &PodManifest, observer: &dyn Observer) {
    let Some(asked) = app.execution.oom_score_adj else {
        return;
    };
    if pod.virtual_machine.is_some() {
        return;
    }
    let has_host_users = pod.user_namespace.is_none();
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let is: i16 = own.trim().parse().unwrap_or_default();
    let has_right =
        has_host_users && permitted().is_ok_and(|held| held & Capability::SysResource.bit() != 0);
    if asked < is.min(0) && !has_right {
        observer.warning(Warning::OomScore {
            app: app.name.clone(),
            asked,
            is,
        });
    }
}
