//! What can be said of a pod, from its folder and, while it runs, from its monitor.

use std::collections::BTreeSet;

use cni_glue::NetworkError;
use cni_glue::bandwidth::Bandwidth;
use cni_glue::ports::PortMapping;
use cni_glue::status::JoinedNetwork;
use pod::control::LiveStatus;
use pod::exit::{AppStatus, Outcome, PodExit};
use pod::manifest::{InsecureOption, Network, PodManifest, VerificationRecord};
use pod::timestamp::Timestamp;
use pod::{AppName, PodEntry, PodError, PodName, PodUuid, State};
use serde::Serialize;

use crate::failure::Failure;

/// A pod, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PodView {
    pub(crate) uuid: PodUuid,
    pub(crate) name: Option<PodName>,
    pub(crate) state: State,
    pub(crate) created: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) exit_code: Option<i32>,
    /// Why it could not be run.
    pub(crate) failure: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) network: Option<Network>,
    /// The networks that it has joined.
    pub(crate) networks: Vec<JoinedNetwork>,
    /// Ports of the host that lead to it.
    pub(crate) ports: Vec<PortMapping>,
    /// How much each of its interfaces receives and sends at most.
    pub(crate) bandwidth: Option<Bandwidth>,
    /// Why it is not connected as it should be; only `status` looks.
    pub(crate) network_failure: Option<NetworkFailure>,
    pub(crate) stage1: Option<String>,
    pub(crate) monitor_pid: Option<i32>,
    pub(crate) init_pid: Option<i32>,
    pub(crate) insecure_options: BTreeSet<InsecureOption>,
    pub(crate) apps: Vec<AppView>,
    /// Why its record can't be read.
    pub(crate) damaged: Option<String>,
}

/// An app, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AppView {
    pub(crate) name: AppName,
    pub(crate) image: String,
    pub(crate) manifest: String,
    pub(crate) state: AppState,
    pub(crate) pid: Option<i32>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) verification: VerificationRecord,
}

/// What an app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AppState {
    /// Not started.
    Waiting,
    /// Running.
    Running,
    /// Ended.
    Exited,
    /// Gone without a trace: its pod was killed.
    Lost,
}

impl AppState {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Lost => "lost",
        }
    }
}

/// Looks at a pod; `None` if it is gone.
///
/// # Errors
/// If its folder can't be looked at.
pub(crate) fn look(
    entry: &PodEntry,
    live: Option<&LiveStatus>,
) -> Result<Option<PodView>, Failure> {
    let state = entry.state()?;
    let mut view = PodView {
        uuid: entry.uuid,
        name: None,
        state,
        created: None,
        started: live.and_then(|live| live.started),
        finished: None,
        exit_code: None,
        failure: None,
        hostname: None,
        network: None,
        networks: Vec::new(),
        ports: Vec::new(),
        bandwidth: None,
        network_failure: None,
        stage1: None,
        monitor_pid: live.map(|live| live.monitor_pid),
        init_pid: live.map(|live| live.init_pid),
        insecure_options: BTreeSet::new(),
        apps: Vec::new(),
        damaged: None,
    };
    let manifest = match PodManifest::load(&entry.path) {
        Ok(manifest) => manifest,
        Err(PodError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            // A pod that is being prepared has none yet; any other has moved on.
            let has_none = matches!(state, State::Preparing | State::AbortedPrepare);
            return Ok((has_none && entry.path.exists()).then_some(view));
        }
        Err(error) => {
            view.damaged = Some(Failure::from(error).line());
            return Ok(Some(view));
        }
    };
    match PodExit::load(&entry.path) {
        Ok(Some(exit)) => {
            view.started = exit.started;
            view.finished = Some(exit.finished);
            view.exit_code = Some(exit.exit_code);
            view.failure = exit.failure;
        }
        Ok(None) => {}
        Err(error) => view.damaged = Some(Failure::from(error).line()),
    }
    // A pod that has ended has no addresses any more, and a torn record of them says nothing.
    if state == State::Running
        && let Ok(Some(status)) = pod::network::load(&entry.path)
    {
        view.networks = status.networks;
    }
    view.apps = apps(entry, &manifest, state, live);
    view.name = manifest.name;
    view.created = Some(manifest.created);
    view.hostname = Some(manifest.hostname);
    view.network = Some(manifest.network);
    view.ports = manifest.ports;
    view.bandwidth = manifest.bandwidth;
    view.stage1 = Some(manifest.stage1.name);
    view.insecure_options = manifest.insecure_options;
    Ok(Some(view))
}

/// The protections that were given up, separated by commas; a dash if there are none.
pub(crate) fn given_up(options: &BTreeSet<InsecureOption>) -> String {
    let words: Vec<_> = options.iter().map(|option| option.word()).collect();
    match words.is_empty() {
        true => "-".to_owned(),
        false => words.join(","),
    }
}

fn apps(
    entry: &PodEntry,
    manifest: &PodManifest,
    state: State,
    live: Option<&LiveStatus>,
) -> Vec<AppView> {
    let view = |app: &pod::manifest::App| {
        // A torn record says as little as none.
        let ended = AppStatus::load(&entry.path, &app.name).ok().flatten();
        let live = live.and_then(|live| live.apps.iter().find(|other| other.name == app.name));
        let outcome = match (&ended, live) {
            (Some(status), _) => Some(status.outcome),
            (None, Some(live)) => live.outcome,
            (None, None) => None,
        };
        AppView {
            name: app.name.clone(),
            image: app.image.reference.clone(),
            manifest: app.image.manifest.clone(),
            state: match (outcome, state) {
                (Some(_), _) => AppState::Exited,
                (None, State::Running) => AppState::Running,
                (None, State::Exited | State::Deleting | State::Garbage) => AppState::Lost,
                (None, _) => AppState::Waiting,
            },
            pid: live.and_then(|live| live.pid),
            started: match &ended {
                Some(status) => status.started,
                None => live.and_then(|live| live.started),
            },
            finished: ended.as_ref().map(|status| status.finished),
            exit_code: outcome.map(Outcome::exit_code),
            outcome,
            verification: app.image.verification.clone(),
        }
    };
    manifest.apps.iter().map(view).collect()
}

/// In words, who vouched for an image and which rule let it run.
pub(crate) fn vouched(verification: &VerificationRecord) -> String {
    let mut text = verification.policy.clone();
    if !verification.keys.is_empty() {
        text.push(' ');
        text.push_str(&verification.keys.join(" and "));
    }
    if let (Some(prefix), Some(file)) = (&verification.rule_prefix, &verification.rule_file) {
        text.push_str(&format!(", rule {prefix:?} of {}", file.display()));
    }
    text
}

/// Why a pod is not connected as it should be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NetworkFailure {
    /// In words.
    pub(crate) message: String,
    /// The network whose plugin found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// The plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Its code for what is wrong, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u64>,
}

impl From<&NetworkError> for NetworkFailure {
    fn from(error: &NetworkError) -> Self {
        let plugin = match error {
            NetworkError::Plugin(error) => Some(error),
            _ => None,
        };
        Self {
            message: error.to_string(),
            network: plugin.map(|error| error.network.clone()),
            plugin: plugin.map(|error| error.plugin.clone()),
            code: plugin.and_then(|error| error.failure.code()),
        }
    }
}

/// In words, which networks a pod was asked to join.
pub(crate) fn selected(network: &Network) -> String {
    match network {
        Network::None => "none".to_owned(),
        Network::Host => "host".to_owned(),
        Network::All => "all".to_owned(),
        Network::Named(requests) => {
            let names: Vec<_> = requests.iter().map(|r| r.name.as_str()).collect();
            names.join(",")
        }
    }
}

/// A port of the host and where it leads: `8080/tcp -> 80`.
pub(crate) fn port_in_words(port: &PortMapping) -> String {
    let first = port.container_port;
    let inside = match port.count {
        0 | 1 => first.to_string(),
        count => format!("{first}-{}", first.saturating_add(count - 1)),
    };
    format!("{} -> {inside}", port.host_side())
}

/// In words, how a process ended.
pub(crate) fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited { code } => format!("exited with {code}"),
        Outcome::Signaled {
            signal,
            oom_killed: true,
        } => format!(
            "killed by {} for want of memory",
            crate::signal_names::name(*signal)
        ),
        Outcome::Signaled { signal, .. } => {
            format!("killed by {}", crate::signal_names::name(*signal))
        }
        Outcome::NotStarted { failure } => match failure {
            pod::exit::FailureKind::NotFound => "not started: its program is not there".to_owned(),
            pod::exit::FailureKind::NotExecutable => {
                "not started: its program can't be executed".to_owned()
            }
            pod::exit::FailureKind::UnknownUser => {
                "not started: its image does not know the user or group".to_owned()
            }
            pod::exit::FailureKind::NoSpace => "not started: no space was left".to_owned(),
            pod::exit::FailureKind::Interrupted { .. } | pod::exit::FailureKind::Other => {
                "not started".to_owned()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_kill_is_told_apart() {
        let killed = |oom_killed| {
            ended(&Outcome::Signaled {
                signal: 9,
                oom_killed,
            })
        };
        assert_eq!(killed(false), "killed by SIGKILL");
        assert_eq!(killed(true), "killed by SIGKILL for want of memory");
    }

    #[test]
    fn the_signer_and_the_rule_are_named() {
        let verification = VerificationRecord {
            policy: "signed-by".into(),
            rule_prefix: Some("a.io".into()),
            rule_file: Some("/etc/t.toml".into()),
            keys: vec!["sha256:aa".into()],
            signed_digest: None,
            integrity: None,
        };
        assert_eq!(
            vouched(&verification),
            "signed-by sha256:aa, rule \"a.io\" of /etc/t.toml"
        );
    }
}
