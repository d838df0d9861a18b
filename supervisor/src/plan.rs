//! What is known of a pod before it starts.

use std::time::Duration;

use pod::AppName;
use pod::manifest::{
    App, AppFailure, Hooks, Lifetime, PodManifest, Probes, ReadyWhen, Restart, RestartPolicy,
    RestartRule, Role,
};

/// What is known of a pod before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its apps, in the manifest's order.
    pub apps: Vec<AppPlan>,
    /// When it ends by itself.
    pub lifetime: Lifetime,
    /// What the failure of one app is to the others.
    pub on_app_failure: AppFailure,
    /// When it counts as ready.
    pub ready_when: ReadyWhen,
    /// Time from an app's stop signal to SIGKILL.
    pub grace: Duration,
    /// How long it may run.
    pub deadline: Option<Duration>,
}

/// What is known of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPlan {
    /// Its name.
    pub name: AppName,
    /// What it is to the others.
    pub role: Role,
    /// When it is started again.
    pub restart: Restart,
    /// What is done after an end with some exit codes, before that counts.
    pub restart_rules: Vec<RestartRule>,
    /// How it is found out whether it is well.
    pub probes: Probes,
    /// What is done around its start and its end.
    pub hooks: Hooks,
    /// Whether it says itself when it is ready.
    pub notifies: bool,
}

impl Plan {
    /// What a pod asks for; `None` if it asks for nothing that takes a supervisor: its apps start at once, once each.
    pub fn of(manifest: &PodManifest) -> Option<Self> {
        let deadline = manifest.active_deadline_seconds;
        let is_plain = manifest.ready_when == ReadyWhen::Started
            && deadline.is_none()
            && manifest.apps.iter().all(|app| AppPlan::of(app).is_plain());
        (!is_plain).then(|| Self {
            apps: manifest.apps.iter().map(AppPlan::of).collect(),
            lifetime: manifest.lifetime,
            on_app_failure: manifest.on_app_failure,
            ready_when: manifest.ready_when,
            grace: manifest.grace_period(),
            deadline: deadline.map(|seconds| Duration::from_secs(seconds.get().into())),
        })
    }
}

impl AppPlan {
    /// What an app asks for.
    pub fn of(app: &App) -> Self {
        Self {
            name: app.name.clone(),
            role: app.role,
            restart: app.restart,
            restart_rules: app.restart_rules.clone(),
            probes: app.probes.clone(),
            hooks: app.hooks.clone(),
            notifies: app.notifies(),
        }
    }

    /// Whether it asks for nothing that takes a supervisor.
    pub fn is_plain(&self) -> bool {
        self.role == Role::Main
            && self.restart.policy == RestartPolicy::Never
            && self.restart_rules.is_empty()
            && self.probes == Probes::default()
            && self.hooks == Hooks::default()
            && !self.notifies
    }
}
