//! What can be said of a pod, from its directory and, while it runs, from its monitor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cni_glue::bandwidth::Bandwidth;
use cni_glue::id::NetworkName;
use cni_glue::ports::PortMapping;
use cni_glue::status::JoinedNetwork;
use pod::control::{LastEnd, LiveStatus, SOCKET_FILE};
use pod::exit::{AppStatus, OutOfMemory, Outcome, PodExit};
use pod::machine::MachineRecord;
use pod::manifest::{
    App, AppPath, Capability, Cpu, Device, HostNamespace, ImageFilesystem, InsecureOption, Limit,
    MANIFEST_FILE, Network, PodManifest, Resources, Restart, Rlimit, User, UserNamespace,
    VerificationRecord,
};
use pod::signal::SignalNumber;
use pod::timestamp::Timestamp;
use pod::{AppName, PodEntry, PodError, PodName, PodUuid, State, app_dir};
use serde::Serialize;

use super::mount_view::{MountView, mounts};
use super::network_failure::NetworkFailure;
use crate::config::directories::Directories;
use crate::error::Error;

/// The kernel's own period of processor time, in microseconds.
const USUAL_PERIOD: u64 = 100_000;

/// A pod, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodView {
    /// Its identity.
    pub uuid: PodUuid,
    /// Its name, if it has one.
    pub name: Option<PodName>,
    /// What it does.
    pub state: State,
    /// When it was prepared.
    pub created: Option<Timestamp>,
    /// When its apps were started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// Why it could not be run.
    pub failure: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// The networks that it was asked to join.
    pub network: Option<Network>,
    /// The networks that it has joined.
    pub networks: Vec<JoinedNetwork>,
    /// Ports of the host that lead to it.
    pub ports: Vec<PortMapping>,
    /// How much each of its interfaces receives and sends at most.
    pub bandwidth: Option<Bandwidth>,
    /// Why it is not connected as it should be; only `status` looks.
    pub network_failure: Option<NetworkFailure>,
    /// The networks that it could not be taken out of at its end; only `status` looks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks_not_left: Vec<NetworkName>,
    /// The name of its isolator.
    pub stage1: Option<String>,
    /// The virtual machine that it was started in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineRecord>,
    /// The monitor's process ID.
    pub monitor_pid: Option<i32>,
    /// Pod init's process ID.
    pub init_pid: Option<i32>,
    /// Where its network namespace is, while it runs.
    #[serde(skip)]
    pub network_namespace: Option<PathBuf>,
    /// Whose users on the host those of the pod are; the host's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_namespace: Option<UserNamespace>,
    /// The protections that were given up.
    pub insecure_options: BTreeSet<InsecureOption>,
    /// What else it shares with the host.
    pub host_namespaces: BTreeSet<HostNamespace>,
    /// Whether it is removed when it has ended.
    pub remove_on_exit: bool,
    /// What it is found by.
    pub labels: BTreeMap<String, String>,
    /// Kernel parameters that it has for itself, by their paths below `/proc/sys`.
    pub sysctl: BTreeMap<String, String>,
    /// The size of its shared memory in bytes, if it is not the usual one.
    pub shm_size: Option<u64>,
    /// Limits of all its apps together.
    pub resources: Resources,
    /// Its apps.
    pub apps: Vec<AppView>,
    /// Why its record can't be read.
    pub damaged: Option<String>,
}

/// An app, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppView {
    /// Its name.
    pub name: AppName,
    /// The image that it was asked for by.
    pub image: String,
    /// Digest of the image's manifest.
    pub manifest: String,
    /// The filesystem that a virtual machine has of its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<ImageFilesystem>,
    /// What it runs: program and arguments.
    pub command: Vec<String>,
    /// Its environment, `KEY=VALUE` each.
    pub env: Vec<String>,
    /// Its working directory.
    pub cwd: AppPath,
    /// Whose process it is.
    pub user: User,
    /// What it sees of files that are not its image's.
    pub mounts: Vec<MountView>,
    /// Most memory that it was given, in bytes.
    pub memory_limit: Option<u64>,
    /// Most processor time that it was given, in billionths of a processor.
    pub cpu_limit: Option<u64>,
    /// Its weight for processor time, if it is not the usual one.
    pub cpu_shares: Option<u64>,
    /// Most processes and threads that it was given.
    pub pids_limit: Option<u64>,
    /// All limits that it was given.
    pub resources: Resources,
    /// The devices of the host that it was given.
    pub devices: Vec<Device>,
    /// Whether it has a pseudo-terminal.
    pub terminal: bool,
    /// Whether it has an input.
    pub stdin: bool,
    /// The label of SELinux of its processes, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selinux_label: Option<String>,
    /// That of its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_label: Option<String>,
    /// By which signal it is asked to end.
    pub stop_signal: SignalNumber,
    /// What widens what it may do, beyond what its pod has given up.
    pub widened: Vec<String>,
    /// The capabilities that its root may have, if they are not the usual ones.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Its resource limits, where they are not the caller's.
    pub rlimits: Vec<Rlimit>,
    /// Its groups beside those of its user, by name or number.
    pub groups: Vec<String>,
    /// How soon it is killed when memory is short, if that was said.
    pub oom_score_adj: Option<i16>,
    /// Its AppArmor profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor_profile: Option<String>,
    /// Whether executing a program can give it privileges.
    pub new_privileges: bool,
    /// Whether nothing of its confinement was wanted.
    pub privileged: bool,
    /// Whether it can't write to its root filesystem.
    pub read_only_root: bool,
    /// What others note of it.
    pub annotations: BTreeMap<String, String>,
    /// What it does.
    pub state: AppState,
    /// Its process ID on the host, while it runs.
    pub pid: Option<i32>,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// How many of its processes the kernel killed because memory was short, since it was started last; `None` where
    /// nobody counted.
    pub oom_kills: Option<u64>,
    /// What had no memory left, if that is why it was killed and somebody knew.
    pub out_of_memory: Option<OutOfMemory>,
    /// When it is started again.
    pub restart: Restart,
    /// How often it was started again since its pod was.
    pub restarts: u64,
    /// Whether it is ready to serve; absent where nobody looks after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// When it starts again, if it is going to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start: Option<Timestamp>,
    /// How its run before this one ended, if it was started again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<LastEnd>,
    /// What was wrong when it was found not to be well, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
    /// Its last words, if it has ended and left some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why its image could run.
    pub verification: VerificationRecord,
}

/// What an app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppState {
    /// Not started: its pod is prepared.
    Prepared,
    /// Added to its pod, and not started yet.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Ended, and starts again after a while.
    BackingOff,
    /// Ended.
    Exited,
    /// Gone without a trace: its pod was killed.
    Lost,
}

impl AppState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Created => "created",
            Self::Paused => "paused",
            Self::Running => "running",
            Self::BackingOff => "backing-off",
            Self::Exited => "exited",
            Self::Lost => "lost",
        }
    }
}

impl PodView {
    /// Whether it has ended, and nobody wrote down how.
    pub fn was_killed(&self) -> bool {
        self.state == State::Exited && self.damaged.is_none() && self.exit_code.is_none()
    }
}

/// What is said of a pod that has ended and left no record of that.
const KILLED: &str = "its monitor was killed, or could not write down how the pod ended";

/// Looks at a pod; `None` if it is gone.
///
/// # Errors
/// If its directory can't be looked at.
pub fn look(entry: &PodEntry, live: Option<&LiveStatus>) -> Result<Option<PodView>, Error> {
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
        networks_not_left: Vec::new(),
        stage1: None,
        machine: None,
        monitor_pid: live.map(|live| live.monitor_pid),
        init_pid: live.map(|live| live.init_pid),
        network_namespace: None,
        user_namespace: None,
        insecure_options: BTreeSet::new(),
        host_namespaces: BTreeSet::new(),
        remove_on_exit: false,
        labels: BTreeMap::new(),
        sysctl: BTreeMap::new(),
        shm_size: None,
        resources: Resources::default(),
        apps: Vec::new(),
        damaged: None,
    };
    let manifest = match PodManifest::load(&entry.path) {
        Ok(manifest) => manifest,
        Err(PodError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && !entry.path.exists() =>
        {
            // It has moved on.
            return Ok(None);
        }
        Err(PodError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            // A pod that is being prepared has none yet, and one that goes has none any more. Any other has lost it.
            let is_removed = matches!(state, State::Garbage | State::Deleting);
            if !matches!(state, State::Preparing | State::AbortedPrepare) {
                view.damaged = Some(format!("its {MANIFEST_FILE} is missing"));
            }
            return Ok((!is_removed).then_some(view));
        }
        Err(error) => {
            view.damaged = Some(error.to_string());
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
        Ok(None) if state == State::Exited => view.failure = Some(KILLED.to_owned()),
        Ok(None) => {}
        Err(error) => view.damaged = Some(error.to_string()),
    }
    // A pod that has ended has no addresses any more, and a torn record of them says nothing.
    if state == State::Running
        && let Ok(Some(status)) = pod::network::load(&entry.path)
    {
        view.networks = status.networks;
    }
    let has_machine = manifest.virtual_machine.is_some();
    view.network_namespace = live.and_then(|live| live.network_namespace(has_machine));
    view.apps = apps(entry, &manifest, state, live);
    view.name = manifest.name;
    view.created = Some(manifest.created);
    view.hostname = Some(manifest.hostname);
    view.network = Some(manifest.network);
    view.ports = manifest.ports;
    view.bandwidth = manifest.bandwidth;
    view.stage1 = Some(manifest.stage1.name);
    // A torn one says as little as none.
    view.machine = MachineRecord::load(&entry.path).ok().flatten();
    view.user_namespace = manifest.user_namespace;
    view.insecure_options = manifest.insecure_options;
    view.host_namespaces = manifest.host_namespaces;
    view.remove_on_exit = manifest.remove_on_exit;
    view.labels = manifest.labels;
    view.sysctl = manifest.sysctl;
    view.shm_size = manifest.shm_size;
    view.resources = manifest.resources;
    Ok(Some(view))
}

/// Since when a running pod is up, as far as can be told without asking its monitor: since it listens.
pub fn up_since(uuid: PodUuid, directories: &Directories) -> Option<Timestamp> {
    let socket = directories.pod_run(uuid).join(SOCKET_FILE);
    let listens = std::fs::symlink_metadata(socket).and_then(|socket| socket.modified());
    listens.ok().map(Timestamp::from)
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
        // What the monitor knows is newer, as on a disk that is full.
        let ended = ended.filter(|_| live.is_none_or(|live| live.outcome.is_none()));
        let created = app_dir::is_created(&entry.path, &app.name);
        let paused = live.is_some_and(|live| live.paused);
        let next_start = live.and_then(|live| live.next_start);
        let outcome = match (&ended, live) {
            (Some(status), _) => Some(status.outcome),
            (None, Some(live)) => live.outcome,
            (None, None) => None,
        };
        AppView {
            name: app.name.clone(),
            image: app.image.reference.to_string(),
            manifest: app.image.manifest.to_string(),
            filesystem: app.image.filesystem.clone(),
            command: app.execution.args.clone(),
            env: app.execution.env.clone(),
            cwd: app.execution.cwd.clone(),
            user: app.execution.user.clone(),
            mounts: mounts(app, manifest, &entry.path),
            memory_limit: app.resources.memory.limit.and_then(Limit::value),
            cpu_limit: cpu_limit(&app.resources.cpu),
            cpu_shares: app.resources.cpu.shares,
            pids_limit: app
                .resources
                .pids
                .limit
                .unwrap_or(manifest.bounds.pids)
                .value(),
            resources: app.resources.clone(),
            devices: app.devices.clone(),
            terminal: app.execution.terminal,
            stdin: app.execution.stdin,
            selinux_label: app.security.selinux_label.clone().map(String::from),
            mount_label: app.security.mount_label.clone().map(String::from),
            stop_signal: app.stop_signal,
            widened: app.widened(),
            capabilities: capabilities(app),
            rlimits: app.execution.rlimits.clone(),
            groups: groups(&app.execution.user),
            oom_score_adj: app.execution.oom_score_adj,
            apparmor_profile: app.security.apparmor_profile.clone(),
            new_privileges: app.security.privileged || !app.security.no_new_privileges,
            privileged: app.security.privileged,
            read_only_root: app.security.read_only_root,
            annotations: app.annotations.clone(),
            state: match (outcome, state) {
                (Some(_), _) if next_start.is_some() => AppState::BackingOff,
                (Some(_), _) => AppState::Exited,
                (None, State::Running | State::Exited) if created => AppState::Created,
                (None, State::Running) if paused => AppState::Paused,
                (None, State::Running) => AppState::Running,
                (None, State::Exited | State::Deleting | State::Garbage) => AppState::Lost,
                (None, _) => AppState::Prepared,
            },
            pid: live.and_then(|live| live.pid),
            started: match &ended {
                Some(status) => status.started,
                None => live.and_then(|live| live.started),
            },
            finished: match &ended {
                Some(status) => Some(status.finished),
                None => live.and_then(|live| live.finished),
            },
            exit_code: outcome.map(Outcome::exit_code),
            outcome,
            oom_kills: match &ended {
                Some(status) => status.oom_kills,
                None => live.and_then(|live| live.oom_kills),
            },
            out_of_memory: match &ended {
                Some(status) => status.out_of_memory,
                None => live.and_then(|live| live.out_of_memory),
            },
            restart: app.restart,
            restarts: match (&ended, live) {
                (_, Some(live)) => live.restarts,
                (Some(status), None) => status.restarts,
                (None, None) => 0,
            },
            ready: live.and_then(|live| live.ready),
            next_start,
            last_end: live.and_then(|live| live.last_end.clone()),
            complaint: match (&ended, live) {
                (_, Some(live)) => live.complaint.clone(),
                (Some(status), None) => status.complaint.clone(),
                (None, None) => None,
            },
            message: match &ended {
                Some(status) => status.message.clone(),
                None => live.and_then(|live| live.message.clone()),
            },
            verification: app.image.verification.clone(),
        }
    };
    manifest.apps.iter().map(view).collect()
}

fn capabilities(app: &App) -> Option<BTreeSet<Capability>> {
    let sets = app.security.capabilities.as_ref();
    sets.map(|sets| sets.bounding.clone())
}

fn groups(user: &User) -> Vec<String> {
    let numbers = user.additional_gids.iter().map(u32::to_string);
    numbers
        .chain(user.additional_groups.iter().cloned())
        .collect()
}

/// Billionths of a processor, from the time in each period.
pub fn cpu_limit(cpu: &Cpu) -> Option<u64> {
    let quota = u128::from(cpu.quota.and_then(Limit::value)?);
    let period = u128::from(cpu.period.unwrap_or(USUAL_PERIOD));
    let nanos = quota.saturating_mul(1_000_000_000).checked_div(period)?;
    u64::try_from(nanos).ok()
}
