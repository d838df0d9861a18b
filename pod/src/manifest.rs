//! The pod manifest: everything that an isolator needs to know, and the record of what was verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cni_glue::bandwidth::Bandwidth;
use cni_glue::names::{DnsOptions, HostsEntry};
use cni_glue::ports::PortMapping;
use serde::{Deserialize, Serialize};

use crate::error::PodError;
use crate::id::{AppName, PodName, PodUuid};
use crate::record;
use crate::stage1::Capability;
use crate::timestamp::Timestamp;

/// A pod's networks.
pub use cni_glue::config::Selection as Network;

/// The manifest's name in the pod folder.
pub const MANIFEST_FILE: &str = "pod.json";
/// The version that this release writes, and the highest that it reads.
///
/// 2: networks by name, ports, and what names resolve to.
pub const MANIFEST_VERSION: u64 = 2;
/// Time between the stop signal and SIGKILL unless the user says otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A pod: apps that share network, IPC and UTS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodManifest {
    /// [`MANIFEST_VERSION`].
    pub version: u64,
    /// The pod's identity.
    pub uuid: PodUuid,
    /// The pod's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<PodName>,
    /// When it was prepared.
    pub created: Timestamp,
    /// Which isolator runs it.
    pub stage1: Stage1Choice,
    /// The host name that its apps see.
    pub hostname: String,
    /// Its networks.
    pub network: Network,
    /// Ports of the host that lead to it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ports: Vec<PortMapping>,
    /// How much each of its interfaces receives and sends at most.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bandwidth: Option<Bandwidth>,
    /// Whom its apps ask for names.
    #[serde(skip_serializing_if = "is_default", default)]
    pub dns: DnsOptions,
    /// Lines of its `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<HostsEntry>,
    /// Where the apps' standard streams go.
    pub streams: Streams,
    /// Time between the stop signal and SIGKILL, in milliseconds.
    pub grace_period_ms: u64,
    /// Whether the isolator removes the pod when it has ended.
    pub remove_on_exit: bool,
    /// Which protections the user gave up.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub insecure_options: BTreeSet<InsecureOption>,
    /// The apps, in the order in which they are started.
    pub apps: Vec<App>,
}

/// The isolator that a pod was prepared for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage1Choice {
    /// Its name, from its manifest.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The image that it is from, if it isn't an installed one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<Box<ImageRecord>>,
}

/// Where the standard streams of a pod's apps go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Streams {
    /// Through the monitor to its own standard output and error.
    Foreground,
    /// Through the monitor into each app's log file.
    Log,
}

/// A protection that the user gave up by name. An isolator refuses a pod with one that it doesn't
/// know: what it means could as well be a protection more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InsecureOption {
    /// Images run without a signature or a rule.
    Image,
    /// Registries are spoken to in plain HTTP where they have no TLS.
    Http,
    /// The certificates of registries are not checked.
    Tls,
    /// Apps may make every system call.
    Seccomp,
    /// The root user of an app keeps the capabilities of the host's.
    Capabilities,
    /// No part of `/proc` and `/sys` is hidden from apps or guarded against writing.
    Paths,
}

impl InsecureOption {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Image,
        Self::Http,
        Self::Tls,
        Self::Seccomp,
        Self::Capabilities,
        Self::Paths,
    ];

    /// Its name, as users write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Seccomp => "seccomp",
            Self::Capabilities => "capabilities",
            Self::Paths => "paths",
        }
    }
}

/// One process tree with its own root filesystem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// Its name, unique in the pod.
    pub name: AppName,
    /// Its image and what was verified of it.
    pub image: ImageRecord,
    /// Program and arguments. The program is looked up in the app's `PATH` unless it holds a slash.
    pub argv: Vec<String>,
    /// Environment, `KEY=VALUE` each, later ones override earlier ones.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub env: Vec<String>,
    /// User as in the image configuration: a name or number of the image's `/etc/passwd`; root if empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub user: String,
    /// Group, by name or number; the user's primary group if empty.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub group: String,
    /// Working directory inside of the app's root.
    pub workdir: String,
    /// The signal that asks the app to end, by number.
    pub stop_signal: i32,
    /// Whether the app gets a pseudo-terminal.
    #[serde(skip_serializing_if = "is_false", default)]
    pub tty: bool,
    /// Whether the app's standard input is the monitor's; else it is empty.
    #[serde(skip_serializing_if = "is_false", default)]
    pub stdin: bool,
    /// Limits.
    #[serde(skip_serializing_if = "Resources::is_unlimited", default)]
    pub resources: Resources,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_false(value: &bool) -> bool {
    !value
}

fn is_default(value: &DnsOptions) -> bool {
    *value == DnsOptions::default()
}

/// Limits of one app's cgroup; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resources {
    /// Memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory: Option<u64>,
    /// Processor time, in thousandths of one processor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_millis: Option<u64>,
    /// Weight against other cgroups, as cgroup v1 `cpu.shares` (default 1024).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_shares: Option<u64>,
    /// Number of processes and threads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pids: Option<u32>,
}

impl Resources {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// Which image an app runs, and why it was allowed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageRecord {
    /// The reference by which it was asked for, in canonical form.
    pub reference: String,
    /// Digest of the platform's manifest.
    pub manifest: String,
    /// Diff IDs of its layers (`sha256:HEX`), base first.
    pub layers: Vec<String>,
    /// What was verified when the pod was prepared.
    pub verification: VerificationRecord,
}

/// Who vouched for an image, and which rule took their word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VerificationRecord {
    /// The kind of the rule that decided: `signed-by`, `digest`, `accept-unsigned`, or `waived`.
    pub policy: String,
    /// The rule's prefix.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule_prefix: Option<String>,
    /// The file that holds the rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule_file: Option<PathBuf>,
    /// Fingerprints of the keys whose signatures were found good.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub keys: Vec<String>,
    /// The digest that they signed, or that the rule lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_digest: Option<String>,
    /// What was checked of the unpacked files: `seal` (also if nothing is said), `full` or `off`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub integrity: Option<String>,
}

impl PodManifest {
    /// Reads the manifest of the pod in `folder`.
    ///
    /// # Errors
    /// As [`record::read`].
    pub fn load(folder: &Path) -> Result<Self, PodError> {
        record::read(&folder.join(MANIFEST_FILE), MANIFEST_VERSION)
    }

    /// The app called `name`.
    pub fn app(&self, name: &AppName) -> Option<&App> {
        self.apps.iter().find(|app| app.name == *name)
    }

    /// Time between the stop signal and SIGKILL.
    pub fn grace_period(&self) -> Duration {
        Duration::from_millis(self.grace_period_ms)
    }

    /// What an isolator must be able to do to run this pod.
    pub fn required_capabilities(&self) -> BTreeSet<Capability> {
        let mut required = BTreeSet::new();
        match self.network {
            Network::None => {}
            Network::Host => {
                required.insert(Capability::HostNetwork);
            }
            Network::All | Network::Named(_) => {
                required.insert(Capability::Networks);
            }
        }
        if self.bandwidth.is_some() {
            required.insert(Capability::Bandwidth);
        }
        if self.apps.iter().any(|app| app.tty) {
            required.insert(Capability::Tty);
        }
        if self.apps.iter().any(|app| !app.resources.is_unlimited()) {
            required.insert(Capability::Resources);
        }
        required
    }
}

/// The folder of one app inside of its pod's folder.
pub fn app_dir(pod_dir: &Path, app: &AppName) -> PathBuf {
    pod_dir.join("apps").join(app.as_str())
}
