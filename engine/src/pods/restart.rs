//! How long apps wait that start again, as the configuration says.

use pod::manifest::{Restart, RestartPolicy, Role};

use super::spec::AppSpec;
use crate::config::files::Config;

/// When an app is started again on this machine. One that never is asks for nothing.
pub(super) fn configured(restart: Restart, spec: &AppSpec, config: &Config) -> Restart {
    let starts_again = restart.policy != RestartPolicy::Never
        || spec.role == Role::Sidecar
        || !spec.restart_rules.is_empty();
    match config.max_restart_back_off_ms().filter(|_| starts_again) {
        Some(most) => restart.within(most),
        None => restart,
    }
}
