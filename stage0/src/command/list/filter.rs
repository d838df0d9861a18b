//! Which pods pass the filters.

use engine::pods::cri_ids::sandbox_id;
use engine::pods::view::{AppView, PodView};
use pod::manifest::Network;

use crate::arguments::filter::{Filter, OF_PODS, passes, unknown};
use crate::wording::failure::Failure;

/// The states of pods and apps, by our words and by those of docker and podman.
const STATES: &[&str] = &[
    "aborted-prepare",
    "backing-off",
    "configured",
    "created",
    "dead",
    "deleting",
    "exited",
    "garbage",
    "initialized",
    "killed",
    "lost",
    "paused",
    "prepared",
    "preparing",
    "removing",
    "restarting",
    "running",
    "stopped",
    "stopping",
    "unknown",
];

/// How apps are that are looked after, by docker's words.
const HEALTH: &[&str] = &["healthy", "none", "starting", "unhealthy"];

/// Looks whether there are such filters, whatever pods there are.
///
/// # Errors
/// [`Failure::Usage`] for a filter that is not there, or a value that it can't have.
pub(super) fn check(filters: &[Filter]) -> Result<(), Failure> {
    for Filter { key, value } in filters {
        match key.as_str() {
            "id" | "uuid" | "name" | "label" | "ancestor" | "network" | "volume" => {}
            "status" | "state" if STATES.contains(&value.as_str()) => {}
            "status" | "state" => {
                return Err(Failure::Usage(format!(
                    "the filter {key}={value}: no pod has this state; they are preparing, prepared (created), running, \
                     paused, exited (stopped) and deleting (removing)"
                )));
            }
            "health" if HEALTH.contains(&value.as_str()) => {}
            "health" => {
                return Err(Failure::Usage(format!(
                    "the filter health={value}: there are healthy, unhealthy, starting and none"
                )));
            }
            "exited" => drop(exit_code(value)?),
            other => {
                return Err(Failure::Usage(unknown(other, OF_PODS)));
            }
        }
    }
    Ok(())
}

fn exit_code(value: &str) -> Result<i32, Failure> {
    value
        .parse()
        .map_err(|_| Failure::Usage(format!("the filter exited={value}: write an exit code")))
}

/// How an app is, by docker's words.
fn health(app: &AppView) -> &'static str {
    match (app.ready, &app.complaint) {
        (Some(true), _) => "healthy",
        (Some(false), Some(_)) => "unhealthy",
        (Some(false), None) => "starting",
        (None, _) => "none",
    }
}

/// Our word for a state.
fn state(value: &str) -> &str {
    match value {
        "created" | "configured" | "initialized" => "prepared",
        "stopped" => "exited",
        "removing" => "deleting",
        "restarting" => "backing-off",
        other => other,
    }
}

/// Whether a pod is to be shown; the filters are those that [`check`] lets through.
///
/// # Errors
/// [`Failure::Usage`] as of [`check`].
pub(super) fn is_shown(view: &PodView, filters: &[Filter]) -> Result<bool, Failure> {
    passes(filters, |filter| holds(view, filter))
}

fn holds(view: &PodView, filter: &Filter) -> Result<bool, Failure> {
    let value = filter.value.as_str();
    let any = |is: &dyn Fn(&AppView) -> bool| view.apps.iter().any(is);
    Ok(match filter.key.as_str() {
        // Without hyphens it is what kubelets call a sandbox.
        "id" | "uuid" => {
            view.uuid.to_string().starts_with(value) || sandbox_id(view.uuid).starts_with(value)
        }
        "name" => {
            let of_pod = view.name.as_ref().map(|name| name.as_str());
            let of_apps = view.apps.iter().map(|app| app.name.as_str());
            of_pod
                .into_iter()
                .chain(of_apps)
                .any(|name| name.contains(value))
        }
        "label" => filter.finds_label(&view.labels),
        "status" | "state" if value == "killed" => view.was_killed(),
        "status" | "state" => {
            let value = state(value);
            view.state.to_string() == value || any(&|app| app.state.word() == value)
        }
        "health" => any(&|app| health(app) == value),
        "exited" => {
            let code = exit_code(value)?;
            view.exit_code == Some(code) || any(&|app| app.exit_code == Some(code))
        }
        "ancestor" => any(&|app| is_of(app, value)),
        // By name, or by the place where it is mounted.
        "volume" => any(&|app| {
            let mut mounts = app.mounts.iter();
            mounts.any(|mount| {
                mount.volume.as_deref() == Some(value) || mount.destination.as_str() == value
            })
        }),
        "network" => {
            let joined = view
                .networks
                .iter()
                .any(|network| network.name.as_str() == value);
            let asked = match &view.network {
                Some(Network::Named(requests)) => requests
                    .iter()
                    .any(|request| request.name.as_str() == value),
                Some(Network::None) => value == "none",
                Some(Network::Host) => value == "host",
                Some(Network::All) | None => false,
            };
            joined || asked
        }
        // Refused before.
        _ => false,
    })
}

/// Whether an app runs an image of this name, with or without registry and tag, or of this digest.
fn is_of(app: &AppView, value: &str) -> bool {
    let digest = app
        .manifest
        .strip_prefix("sha256:")
        .unwrap_or(&app.manifest);
    let begins = |whole: &str| value.len() >= 6 && whole.starts_with(value);
    if begins(digest) || begins(&app.manifest) {
        return true;
    }
    let name = app.image.as_str();
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    let untagged = match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    };
    [name, untagged].iter().any(|name| {
        name.strip_suffix(value)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::VerificationRecord;

    #[test]
    fn an_image_is_known_by_each_of_its_names() {
        let app = AppView {
            filesystem: None,
            name: "a".parse().unwrap(),
            image: "registry.lan:5000/team/app:1.0".to_owned(),
            manifest: format!("sha256:{}", "ab".repeat(32)),
            command: Vec::new(),
            env: Vec::new(),
            cwd: "/".to_owned().try_into().unwrap(),
            user: pod::manifest::User::default(),
            mounts: Vec::new(),
            memory_limit: None,
            cpu_limit: None,
            cpu_shares: None,
            pids_limit: None,
            resources: pod::manifest::Resources::default(),
            devices: Vec::new(),
            terminal: false,
            stdin: false,
            selinux_label: None,
            mount_label: None,
            stop_signal: pod::signal::SignalNumber::TERM,
            widened: Vec::new(),
            capabilities: None,
            rlimits: Vec::new(),
            groups: Vec::new(),
            oom_score_adj: None,
            apparmor_profile: None,
            new_privileges: false,
            privileged: false,
            read_only_root: false,
            annotations: Default::default(),
            state: engine::pods::view::AppState::Running,
            pid: None,
            started: None,
            finished: None,
            exit_code: None,
            outcome: None,
            oom_kills: None,
            out_of_memory: None,
            restart: Default::default(),
            restarts: 0,
            ready: None,
            next_start: None,
            last_end: None,
            complaint: None,
            message: None,
            verification: VerificationRecord {
                policy: "insecure".into(),
                rule_prefix: None,
                rule_file: None,
                keys: Vec::new(),
                signed_digest: None,
                integrity: None,
            },
        };
        for name in [
            "registry.lan:5000/team/app:1.0",
            "registry.lan:5000/team/app",
            "team/app:1.0",
            "app",
            "abababab",
            "sha256:abab",
        ] {
            assert!(is_of(&app, name), "{name}");
        }
        for name in ["pp", "app:2", "eam/app", "registry.lan", "cdcdcdcd", "ab"] {
            assert!(!is_of(&app, name), "{name}");
        }
    }
}
