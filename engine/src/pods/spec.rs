//! What is asked of a pod and its apps: plain values, whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use pod::manifest::{
    AppFailure, AppPath, CgroupParent, CredentialName, DEFAULT_GRACE, DeviceRule, Hooks, HostKind,
    HostNamespace, ImageGroups, Lifetime, Log, Mount, MountOption, PodAddress, Probes, ReadyWhen,
    Resources, Restart, RestartRule, Rlimit, Role, Streams, TerminationMessage, UserNamespace,
    Volume, VolumeName,
};
use pod::named_volumes::NamedVolumeName;
use pod::signal::SignalNumber;
use pod::{AppName, PodName, PodUuid};
use systemd::ServiceManager;

use super::environment::Variable;
use super::health::HealthSpec;
pub use super::machine::{AcceleratorChoice, MachineSpec};
use super::security::SecuritySpec;
use crate::devices::DeviceRequest;
use crate::images::choice::Pull;
use crate::isolators::find::DEFAULT;
use crate::networks::spec::NetworkSpec;
use crate::selinux::LabelOption;

/// What is asked of a pod as a whole.
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// Its identity.
    pub uuid: PodUuid,
    /// Its name, if it gets one.
    pub name: Option<PodName>,
    /// Its host name, if not the default.
    pub hostname: Option<String>,
    /// What it is found by, beside its name.
    pub labels: BTreeMap<String, String>,
    /// What others note of it.
    pub annotations: BTreeMap<String, String>,
    /// Whether a pod of that name has to go for it.
    pub replace: bool,
    /// Its networks, and what names resolve to.
    pub network: NetworkSpec,
    /// Where its output goes.
    pub streams: Streams,
    /// Time between the stop signal and SIGKILL.
    pub grace_period: Duration,
    /// Whether it goes away when it has ended.
    pub remove_on_exit: bool,
    /// When it ends by itself.
    pub lifetime: Lifetime,
    /// What the failure of one app is to the others.
    pub on_app_failure: AppFailure,
    /// When it counts as ready.
    pub ready_when: ReadyWhen,
    /// How long it may run, in seconds; as long as it likes if absent.
    pub active_deadline_seconds: Option<NonZeroU32>,
    /// When images are fetched.
    pub pull: Pull,
    /// The isolator: its name, its directory, or the reference of its image.
    pub isolator: String,
    /// Whose users those of the pod are.
    pub users: Users,
    /// Its virtual machine, where the isolator runs it in one.
    pub machine: MachineSpec,
    /// Limits of all its apps together.
    pub resources: Resources,
    /// Kernel parameters of its own.
    pub sysctl: BTreeMap<String, String>,
    /// The size of its shared memory in bytes, if not the usual one.
    pub shm_size: Option<u64>,
    /// Whether apps that join it may gain privileges by executing programs, though none that it begins with can.
    pub new_privileges: bool,
    /// What else it shares with the host.
    pub host_namespaces: BTreeSet<HostNamespace>,
    /// What somebody has asked it to have for itself, as pods do anyway if their isolator keeps anything apart.
    pub own_namespaces: BTreeSet<HostNamespace>,
    /// The cgroup below which its own are made, and its monitor's; the caller's if absent.
    pub cgroup_parent: Option<CgroupParent>,
    /// Storage that its apps share.
    pub volumes: Vec<Volume>,
    /// Images whose files its apps share.
    pub image_volumes: Vec<ImageVolume>,
    /// Files that some of these volumes begin with.
    pub files: Vec<VolumeFiles>,
    /// What has to be at paths of the host.
    pub host_paths: Vec<HostPath>,
    /// Whether a directory is made where a part of a volume is to be mounted that is not there.
    pub makes_sub_paths: bool,
    /// The group whose the files of some volumes are to be.
    pub volume_group: Option<VolumeGroup>,
    /// Those volumes, as far as they outlive the pod.
    pub grouped_volumes: Vec<NamedVolumeName>,
    /// Where the output of apps is kept that say nothing of it.
    pub log: Option<Log>,
    /// The service manager that starts it, which may be none; absent if it is prepared to be started later.
    pub manager: Option<ServiceManager>,
    /// Its apps.
    pub apps: Vec<AppSpec>,
}

impl PodSpec {
    /// A pod of these apps in these networks, of which nothing else is asked.
    pub fn new(network: NetworkSpec, apps: Vec<AppSpec>) -> Self {
        Self {
            uuid: PodUuid::random(),
            name: None,
            hostname: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            replace: false,
            network,
            streams: Streams::Foreground,
            grace_period: DEFAULT_GRACE,
            remove_on_exit: false,
            lifetime: Lifetime::default(),
            on_app_failure: AppFailure::default(),
            ready_when: ReadyWhen::default(),
            active_deadline_seconds: None,
            pull: Pull::default(),
            isolator: DEFAULT.to_owned(),
            users: Users::default(),
            machine: MachineSpec::default(),
            resources: Resources::default(),
            sysctl: BTreeMap::new(),
            shm_size: None,
            new_privileges: false,
            host_namespaces: BTreeSet::new(),
            own_namespaces: BTreeSet::new(),
            cgroup_parent: None,
            volumes: Vec::new(),
            image_volumes: Vec::new(),
            files: Vec::new(),
            host_paths: Vec::new(),
            makes_sub_paths: false,
            volume_group: None,
            grouped_volumes: Vec::new(),
            log: None,
            manager: None,
            apps,
        }
    }
}

/// Whose users those of a pod are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Users {
    /// As the configuration says.
    #[default]
    Usual,
    /// The host's.
    Host,
    /// Users of its own: no other pod has them.
    Auto,
    /// As given.
    Mapped(UserNamespace),
}

/// Whether an app is run as systemd is: as process 1, with cgroups to manage and what it expects to be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Systemd {
    /// If its program is a systemd.
    #[default]
    IfItIs,
    /// Whatever its program is.
    Always,
    /// Not even then.
    Never,
}

/// Files that a volume of a pod begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFiles {
    /// The volume, which is kept with the pod.
    pub volume: VolumeName,
    /// The files.
    pub files: Vec<VolumeFile>,
}

/// A file that is written into a volume.
#[derive(Clone, PartialEq, Eq)]
pub struct VolumeFile {
    /// Where: names with slashes between, none of them `.` or `..`.
    pub path: String,
    /// What is in it: perhaps a secret, so nothing shows it.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Whose it is, if not root's.
    pub gid: Option<u32>,
}

impl fmt::Debug for VolumeFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut file = f.debug_struct("VolumeFile");
        file.field("path", &self.path).field("mode", &self.mode);
        file.field("gid", &self.gid).finish_non_exhaustive()
    }
}

/// What has to be at a path of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPath {
    /// The path.
    pub path: PathBuf,
    /// What.
    pub kind: HostKind,
    /// Whether it is made if nothing is there: a directory (0755), or an empty file (0644).
    pub make: bool,
}

/// The group whose the files of volumes are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeGroup {
    /// The group.
    pub gid: u32,
    /// Whether nothing is done where the volume's root directory is that group's already.
    pub unless_root_has_it: bool,
}

/// An image whose files a pod has as a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageVolume {
    /// The volume's name.
    pub name: VolumeName,
    /// Reference, digest in the store, or source of the image.
    pub image: String,
    /// When it is fetched, if not as the pod's images are.
    pub pull: Option<Pull>,
}

/// An image whose files are mounted in an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMount {
    /// Reference, digest in the store, or source of the image.
    pub image: String,
    /// Where the app sees it.
    pub destination: AppPath,
    /// A file or directory in it; the whole of it if absent.
    pub sub_path: Option<String>,
    /// How.
    pub options: Vec<MountOption>,
}

/// What is asked of an app. What is not said is as the image says.
#[derive(Debug, Clone, Default)]
pub struct AppSpec {
    /// Reference, digest in the store, or source of its image.
    pub image: String,
    /// Its name within the pod; else from the image's.
    pub name: Option<AppName>,
    /// The program to run instead of the image's.
    pub exec: Option<String>,
    /// Arguments, instead of those that the image has.
    pub arguments: Vec<String>,
    /// Variables below those of the image.
    pub inherited: Vec<Variable>,
    /// Variables, over those of the image; the last of a name counts.
    pub env: Vec<Variable>,
    /// When its image is fetched, if not as the pod's images are.
    pub pull: Option<Pull>,
    /// Whether it must not be root: its user has to be another number than 0.
    pub non_root: bool,
    /// Texts in arguments and variables that addresses of the pod take the place of, once it has some.
    pub addresses: BTreeMap<String, PodAddress>,
    /// `USER[:GROUP]`, each by name or number.
    pub user: Option<String>,
    /// Group by name or number.
    pub group: Option<String>,
    /// Groups beside it, by name or number.
    pub groups: Vec<String>,
    /// What becomes of the user's groups in the image, if not the usual.
    pub image_groups: Option<ImageGroups>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Names of variables of the image that it does not get.
    pub unset_env: Vec<String>,
    /// Whether it gets none of the image.
    pub unset_all_env: bool,
    /// The signal that asks it to end.
    pub stop_signal: Option<SignalNumber>,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// How soon the kernel kills it when memory is short.
    pub oom_score_adj: Option<i16>,
    /// How it is confined.
    pub security: SecuritySpec,
    /// Whether it says something of itself (sd_notify(3)); if absent, where the pod's readiness asks for that.
    pub notify: Option<bool>,
    /// Which credentials of the service manager's it gets; all if this is empty.
    pub credentials: Vec<CredentialName>,
    /// Whether it gets memory to write to where programs expect to.
    pub writable_in_memory: bool,
    /// Whether it is process 1 of processes of its own.
    pub own_processes: bool,
    /// The app of its pod, with processes of its own, whose pid namespace it joins; it ends with that.
    pub processes_of: Option<AppName>,
    /// Whether it is to be among the host's processes.
    pub host_processes: bool,
    /// What others note of it.
    pub annotations: BTreeMap<String, String>,
    /// Working directory.
    pub workdir: Option<AppPath>,
    /// What is mounted in it.
    pub mounts: Vec<Mount>,
    /// Images whose files are mounted in it.
    pub image_mounts: Vec<ImageMount>,
    /// Devices of the host.
    pub devices: Vec<DeviceRequest>,
    /// What else it may do with devices.
    pub device_rules: Vec<DeviceRule>,
    /// Limits.
    pub resources: Resources,
    /// What is asked of its labels, where SELinux is enabled.
    pub labels: Vec<LabelOption>,
    /// Where its output is kept.
    pub log: Option<Log>,
    /// Whether it is run as systemd is.
    pub systemd: Systemd,
    /// What it is to the others of its pod.
    pub role: Role,
    /// When it is started again.
    pub restart: Restart,
    /// What is done after an end with some exit codes, before that counts.
    pub restart_rules: Vec<RestartRule>,
    /// How it is found out whether it is well.
    pub probes: Probes,
    /// The same as docker and podman say it. It counts more.
    pub health: HealthSpec,
    /// What is done around its start and its end.
    pub hooks: Hooks,
    /// Where it writes why it has ended.
    pub termination_message: Option<TerminationMessage>,
    /// Whether it gets a pseudo-terminal.
    pub tty: bool,
    /// Whether it gets the standard input.
    pub stdin: bool,
    /// Whether that ends with the first client that is attached to it.
    pub stdin_once: bool,
}

impl AppSpec {
    /// Whether it asks for labels of SELinux.
    pub(crate) fn asks_for_labels(&self) -> bool {
        let others = self.labels.iter().any(|one| *one != LabelOption::Disable);
        others || self.mounts.iter().any(|mount| mount.relabel.is_some())
    }

    /// An app of this image, of which nothing else is asked.
    pub fn of(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            ..Self::default()
        }
    }
}
