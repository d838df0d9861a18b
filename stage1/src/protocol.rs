//! What the monitor and pod init say to each other, over a [`crate::link`].
//!
//! Messages name things: apps by their names, byte streams by a [`StreamId`], commands by a number. What can
//! exist on one host alone goes beside them ([`crate::link::HandedOver`]).
//!
//! The monitor sends [`ToInit::Setup`], one [`ToInit::App`] for each app and [`ToInit::Start`] without waiting
//! for answers, while pod init is being started.

mod cgroups;
mod process_streams;

use std::collections::{BTreeMap, BTreeSet};

use cni_glue::names::PeerChanges;
use pod::AppName;
use pod::activation::SocketName;
use pod::control::{CommandUser, FileCopy, WindowSize};
use pod::exit::{OutOfMemory, Outcome};
use pod::manifest::{
    AppFailure, AppPath, Execution, HostNamespace, InsecureOption, Lifetime, ProbeAction,
    Resources, UserNamespace,
};
use pod::selinux::Context;
use pod::signal::SignalNumber;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::StartFailure;
use crate::link::stream::{StreamId, StreamKind};

pub use self::cgroups::{COMMAND_MAX, CgroupAnswer, CgroupRequest, PROCESSES_MAX};
pub use self::process_streams::ProcessStreams;

/// From the monitor to pod init.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToInit {
    /// What concerns the pod as a whole.
    Setup(Box<Setup>),
    /// An app to start: with the pod if it comes before [`ToInit::Start`], else at once. On the host's kernel its root
    /// filesystem, its cgroup and its sockets come with it.
    App(Box<AppSpec>),
    /// All apps have been named: start them. On the host's kernel the pod's network namespace comes with it,
    /// unless the pod stays in the one that pod init is in.
    Start(Names),
    /// End the pod.
    Stop {
        /// Time from the stop signal to SIGKILL.
        grace_ms: u64,
    },
    /// End one app: at once, if it is still being started.
    StopApp {
        /// Which.
        app: AppName,
        /// Time from the stop signal to SIGKILL.
        grace_ms: u64,
    },
    /// An app that has ended has left the pod.
    ForgetApp {
        /// Which.
        app: AppName,
    },
    /// Send a signal to the main process of one app, or of each.
    Signal {
        /// Which app.
        app: Option<AppName>,
        /// Which signal.
        signal: i32,
    },
    /// Other pods that are found by name have come or gone: change `/etc/hosts`, and answer.
    Peers(PeerChanges),
    /// Run a command inside of an app.
    Exec(Box<ExecSpec>),
    /// Nobody waits for a command any more: its process group is asked to end, and killed after a while.
    EndCommand {
        /// The monitor's number for it.
        id: u64,
        /// Time until SIGKILL.
        grace_ms: u64,
    },
    /// Ask something over the pod's network, and answer.
    Probe(Box<ProbeSpec>),
    /// A terminal has a new size.
    Resize {
        /// Which terminal.
        terminal: StreamId,
        /// Its size.
        size: WindowSize,
    },
    /// Do something with the cgroups of apps, which pod init has, and answer.
    Cgroups {
        /// The monitor's number for that.
        id: u64,
        /// What.
        request: CgroupRequest,
    },
}

impl ToInit {
    /// The streams that begin with this message, in the order in which it names them.
    pub fn streams(&self) -> Vec<(StreamId, StreamKind)> {
        match self {
            Self::App(app) => app.streams.all(),
            Self::Exec(command) => command.streams.all(),
            Self::Setup(_)
            | Self::Start(_)
            | Self::Stop { .. }
            | Self::StopApp { .. }
            | Self::ForgetApp { .. }
            | Self::Signal { .. }
            | Self::Peers(_)
            | Self::EndCommand { .. }
            | Self::Probe(_)
            | Self::Resize { .. }
            | Self::Cgroups { .. } => Vec::new(),
        }
    }
}

/// What concerns the pod as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Setup {
    /// The pod's host name.
    pub hostname: String,
    /// When the pod ends by itself.
    pub lifetime: Lifetime,
    /// What the failure of one app is to the others.
    pub on_app_failure: AppFailure,
    /// Time between the stop signal and SIGKILL when an app's failure ends the pod.
    pub grace_period_ms: u64,
    /// Most pseudo-terminals of each app.
    pub terminals: u32,
    /// Most files of each filesystem in memory.
    pub memory_files: u32,
    /// The user namespace that pod init is in, if it is the pod's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_namespace: Option<UserNamespace>,
    /// Whether pod init mounts the `/sys` of the pod's network itself.
    #[serde(default)]
    pub owns_network: bool,
    /// Whether executing a program can give privileges to some of the apps.
    #[serde(skip_serializing_if = "is_false", default)]
    pub new_privileges: bool,
    /// The size of `/dev/shm` in bytes; the usual one if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shm_size: Option<u64>,
    /// What else the pod shares with the host.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub host_namespaces: BTreeSet<HostNamespace>,
    /// Kernel parameters of the pod's namespaces, by the names of sysctl(8).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub sysctl: BTreeMap<String, String>,
    /// The label of SELinux of what its apps share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mount_label: Option<Context>,
    /// The limits of all apps together, where pod init has their cgroups.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resources: Option<Resources>,
}

impl Setup {
    /// The label of SELinux of the pod's message queues. Those of the host keep theirs.
    pub(crate) fn queue_label(&self) -> Option<&Context> {
        let is_own = !self.host_namespaces.contains(&HostNamespace::Ipc);
        self.mount_label.as_ref().filter(|_| is_own)
    }
}

/// What a file holds, which need not be text. In messages each byte is the character of its number, so that plain
/// ASCII looks as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileText(pub Vec<u8>);

impl Serialize for FileText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let characters: String = self.0.iter().copied().map(char::from).collect();
        serializer.serialize_str(&characters)
    }
}

impl<'de> Deserialize<'de> for FileText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let characters = String::deserialize(deserializer)?;
        let bytes = characters.chars().map(u8::try_from);
        let bytes: Result<_, _> = bytes.collect();
        bytes.map(Self).map_err(D::Error::custom)
    }
}

/// What names resolve to in the pod. It is known only when the pod has joined its networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Names {
    /// The text of `/etc/hosts`.
    pub hosts: FileText,
    /// The text of `/etc/resolv.conf`.
    pub resolv_conf: FileText,
}

/// One app: what of it runs, and nothing of why it may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppSpec {
    /// Its name, unique in the pod.
    pub name: AppName,
    /// What it executes, and as whom.
    pub execution: Execution,
    /// The signal that asks it to end.
    pub stop_signal: SignalNumber,
    /// Its standard streams.
    pub streams: ProcessStreams,
    /// Which protections of the host it is under.
    pub protections: Protections,
    /// The label of SELinux of its processes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selinux_label: Option<Context>,
    /// The label of SELinux of its files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mount_label: Option<Context>,
    /// How it is confined in another way than usual.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub security: Option<Box<AppSecurity>>,
    /// Whether it is process 1 of a pid namespace of its own.
    #[serde(default)]
    pub own_processes: bool,
    /// The app that runs, in whose pid namespace it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub processes_of: Option<AppName>,
    /// Where its volumes and the like are mounted, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mounts: Vec<AppPath>,
    /// Where its credentials are mounted, if it has some: they become its user's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credentials: Option<AppPath>,
    /// The names of the sockets that it is handed, in order ([`pod::activation`]).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sockets: Vec<SocketName>,
}

/// Protections of the host against one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Protections {
    /// Its root user has few capabilities, and not all that pod init has.
    pub capabilities: bool,
    /// Its system calls are filtered.
    pub system_calls: bool,
    /// Parts of `/proc` and `/sys` are masked, or can't be written.
    pub paths: bool,
}

impl Protections {
    /// All but those that the user gave up for this app.
    pub fn without(given_up: &BTreeSet<InsecureOption>) -> Self {
        let keeps = |option| !given_up.contains(&option);
        Self {
            capabilities: keeps(InsecureOption::Capabilities),
            system_calls: keeps(InsecureOption::Seccomp),
            paths: keeps(InsecureOption::Paths),
        }
    }
}

/// How an app is confined, where that is not the usual way. What is absent is usual.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppSecurity {
    /// Its capabilities.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capabilities: Option<CapabilityBits>,
    /// What decides on its system calls.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filter: Option<CallFilter>,
    /// Whether executing a program can give it privileges.
    #[serde(skip_serializing_if = "is_false", default)]
    pub new_privileges: bool,
    /// Paths that it can't read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub masked_paths: Option<Vec<AppPath>>,
    /// Paths that it can't write to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub readonly_paths: Option<Vec<AppPath>>,
    /// Options of its `/proc`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub proc_options: BTreeMap<String, String>,
    /// Whether it can't write to its root filesystem.
    #[serde(skip_serializing_if = "is_false", default)]
    pub read_only_root: bool,
    /// Its AppArmor profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub apparmor_profile: Option<String>,
    /// Whether it may write to the cgroups that it is shown.
    #[serde(skip_serializing_if = "is_false", default)]
    pub writes_cgroups: bool,
}

/// Sets of capabilities as the kernel has them: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CapabilityBits {
    /// The bounding set; what root has.
    pub bounding: u64,
    /// What users other than root have.
    pub ambient: u64,
}

/// A compiled system call filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallFilter {
    /// The instructions of it, each one packed into a number (`seccomp::pack`).
    pub program: Vec<u64>,
    /// Flags of seccomp(2).
    pub flags: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_false(value: &bool) -> bool {
    !value
}

/// A command to run inside of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecSpec {
    /// The monitor's number for it.
    pub id: u64,
    /// Which app; may be absent if the pod has but one.
    pub app: Option<AppName>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables to add to the app's environment.
    pub env: Vec<String>,
    /// Where it starts, if not in the app's working directory.
    pub workdir: Option<AppPath>,
    /// Whose process it is, if not the app's user's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<CommandUser>,
    /// What pod init's own program copies, in the place of another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub copy: Option<FileCopy>,
    /// How long it may run: then it is killed, with all that it has started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    /// Its standard streams.
    pub streams: ProcessStreams,
}

/// What to ask over the pod's network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeSpec {
    /// The monitor's number for it.
    pub id: u64,
    /// What; a command is none of this.
    pub action: ProbeAction,
    /// How long the answer may take.
    pub timeout_ms: u64,
}

/// What a probe over the network has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProbeOutcome {
    /// Well.
    Passed,
    /// Not well, or there was no answer in time.
    Failed {
        /// Why.
        reason: String,
    },
    /// It could not be asked.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// From pod init to the monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromInit {
    /// An app has executed its program.
    AppStarted {
        /// Which.
        app: AppName,
        /// Its terminal, if it has one: that stream begins with this message.
        terminal: Option<StreamId>,
    },
    /// Every app that was named before the start has.
    Started,
    /// An app that was to join the running pod could not be started, or one was stopped while it was being started.
    AppFailed {
        /// Which.
        app: AppName,
        /// Why.
        failure: StartFailure,
    },
    /// The pod could not be started; pod init ends.
    Failed(StartFailure),
    /// The main process of an app has ended.
    AppExited {
        /// Which.
        app: AppName,
        /// How.
        outcome: Outcome,
        /// How many of its processes were killed because memory was short.
        #[serde(default)]
        oom_kills: Option<u64>,
        /// What had no memory left, if that is why it was killed.
        #[serde(default)]
        out_of_memory: Option<OutOfMemory>,
    },
    /// So many processes of an app that runs were killed because memory was short.
    OomKills {
        /// Which app.
        app: AppName,
        /// How many, since it was started.
        oom_kills: u64,
    },
    /// The answer to [`ToInit::Cgroups`].
    Cgroups {
        /// The monitor's number for what it asked.
        id: u64,
        /// The answer.
        answer: CgroupAnswer,
    },
    /// The answer to [`ToInit::Peers`].
    PeersUpdated {
        /// Why `/etc/hosts` could not be changed.
        failure: Option<String>,
    },
    /// A command has executed its program.
    ExecStarted {
        /// The monitor's number for it.
        id: u64,
        /// Its terminal, if it has one: that stream begins with this message.
        terminal: Option<StreamId>,
    },
    /// A command could not be started.
    ExecFailed {
        /// The monitor's number for it.
        id: u64,
        /// Why.
        failure: StartFailure,
    },
    /// A command has ended.
    ExecExited {
        /// The monitor's number for it.
        id: u64,
        /// How.
        outcome: Outcome,
        /// Whether it was killed because its time was over.
        #[serde(skip_serializing_if = "is_false", default)]
        timed_out: bool,
    },
    /// What [`ToInit::Probe`] has come to.
    Probed {
        /// The monitor's number for it.
        id: u64,
        /// What.
        outcome: ProbeOutcome,
    },
    /// The pod is over; pod init ends, and everything in the pod with it.
    Finished {
        /// The pod's exit code.
        exit_code: i32,
    },
}

impl FromInit {
    /// Whether this tells of a new process.
    pub fn is_of_new_process(&self) -> bool {
        matches!(self, Self::AppStarted { .. } | Self::ExecStarted { .. })
    }

    /// The terminal whose stream begins with this message.
    pub fn terminal(&self) -> Option<StreamId> {
        match *self {
            Self::AppStarted { terminal, .. } | Self::ExecStarted { terminal, .. } => terminal,
            _ => None,
        }
    }
}
