//! A pod as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use cni_glue::bandwidth::Bandwidth;
use cni_glue::names::{DnsOptions, HostsEntry};
use cni_glue::ports::PortMapping;
use serde::{Deserialize, Serialize};

use super::app::{App, Apps};
use super::bounds::Bounds;
use super::cgroup_parent::CgroupParent;
use super::image::ImageRecord;
use super::insecure::InsecureOption;
use super::mounts::MountSource;
use super::namespaces::HostNamespace;
use super::network::Network;
use super::presence::is_default;
use super::resources::Resources;
use super::role::ReadyWhen;
use super::security::PodLabels;
use super::user_namespace::UserNamespace;
use super::virtual_machine::VirtualMachine;
use super::volumes::{Volume, VolumeSource};
use crate::id::{AppName, PodName, PodUuid};
use crate::named_volumes::NamedVolumeName;
use crate::record::Version;
use crate::timestamp::Timestamp;

/// The version that this release writes, and the highest that it reads.
///
/// 3: OCI's names and meanings; lifetimes, and fields for what isolators learn later.
/// 2 (still read): networks by name, ports, and what names resolve to.
pub const MANIFEST_VERSION: u64 = 3;
/// The annotation that makes a pod a sandbox of a kubelet, and an app a container of it: what was asked for over the CRI.
pub const CRI_ANNOTATION: &str = "fairing/cri";
/// The file in a pod's directory by which the monitor of one that was made for a kubelet marks that it has been up.
pub const CRI_UP_FILE: &str = "cri-up";
/// The file in a pod's directory by which one that was made for a kubelet is marked as ending: by who ends it, and by its
/// monitor.
pub const CRI_STOPPING_FILE: &str = "cri-stopping";
/// Time between the stop signal and SIGKILL unless the user says otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A pod: apps that share network, IPC and UTS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodManifest {
    /// [`MANIFEST_VERSION`].
    pub version: Version<MANIFEST_VERSION>,
    /// The pod's identity.
    pub uuid: PodUuid,
    /// The pod's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<PodName>,
    /// When it was prepared.
    pub created: Timestamp,
    /// Which isolator runs it.
    pub stage1: Stage1Choice,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "is_default", default)]
    pub lifetime: Lifetime,
    /// What the failure of one app is to the others.
    #[serde(skip_serializing_if = "is_default", default)]
    pub on_app_failure: AppFailure,
    /// When it counts as ready.
    #[serde(skip_serializing_if = "is_default", default)]
    pub ready_when: ReadyWhen,
    /// How long it may run, in seconds; as long as it likes if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_deadline_seconds: Option<NonZeroU32>,
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
    /// Its user namespace; the host's if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_namespace: Option<UserNamespace>,
    /// What SELinux is to know of it, where that is enabled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selinux: Option<PodLabels>,
    /// Storage that its apps share.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub volumes: Vec<Volume>,
    /// Kernel parameters of its namespaces, by the names of sysctl(8).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub sysctl: BTreeMap<String, String>,
    /// The size of its shared memory, in bytes; 64 MiB if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shm_size: Option<u64>,
    /// What else it shares with the host.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub host_namespaces: BTreeSet<HostNamespace>,
    /// Whether apps that join it may gain privileges by executing programs, though none that it begins with can.
    #[serde(skip_serializing_if = "is_default", default)]
    pub new_privileges: bool,
    /// The cgroup that its own lies in; the monitor's if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup_parent: Option<CgroupParent>,
    /// Its virtual machine, if it is to run in one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub virtual_machine: Option<VirtualMachine>,
    /// Limits of all its apps together.
    #[serde(skip_serializing_if = "Resources::is_unlimited", default)]
    pub resources: Resources,
    /// What each app may use where nothing is said of it.
    #[serde(skip_serializing_if = "is_default", default)]
    pub bounds: Bounds,
    /// Where the apps' standard streams go.
    pub streams: Streams,
    /// Time between the stop signal and SIGKILL, in milliseconds.
    pub grace_period_ms: u64,
    /// Whether the isolator removes the pod when it has ended.
    pub remove_on_exit: bool,
    /// Which protections the user gave up.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub insecure_options: BTreeSet<InsecureOption>,
    /// What it is found by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    /// What others note of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub annotations: BTreeMap<String, String>,
    /// The apps.
    pub apps: Apps,
}

/// The isolator that a pod was prepared for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage1Choice {
    /// Its name, from its manifest.
    pub name: String,
    /// Its directory.
    pub path: PathBuf,
    /// The image that it is from, if it isn't an installed one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image: Option<Box<ImageRecord>>,
}

/// When a pod ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// When all of its apps have ended.
    #[default]
    WithApps,
    /// Never: it stays until it is stopped, with or without apps.
    UntilStopped,
}

/// What the failure of one app is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppFailure {
    /// The end of the pod.
    #[default]
    StopPod,
    /// Nothing.
    Continue,
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

impl PodManifest {
    /// What people call it: its name, else its UUID.
    pub fn called(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => self.uuid.to_string(),
        }
    }

    /// The app called `name`.
    pub fn app(&self, name: &AppName) -> Option<&App> {
        self.apps.get(name)
    }

    /// All images that it needs: its apps', its volumes', those that are mounted, and its isolator's.
    pub fn images(&self) -> impl Iterator<Item = &ImageRecord> {
        let apps = self.apps.iter().map(|app| &app.image);
        let volumes = self.volumes.iter();
        let volumes = volumes.filter_map(|volume| match &volume.source {
            VolumeSource::Image { image } => Some(&**image),
            VolumeSource::Host { .. } | VolumeSource::Empty { .. } | VolumeSource::Named { .. } => {
                None
            }
        });
        let mounts = self.apps.iter().flat_map(|app| &app.mounts);
        let mounted = mounts.filter_map(|mount| match &mount.source {
            MountSource::Image { image, .. } => Some(&**image),
            _ => None,
        });
        let of_apps = apps.chain(volumes).chain(mounted);
        of_apps.chain(self.stage1.image.as_deref())
    }

    /// All volumes that it needs and that outlive it.
    pub fn named_volumes(&self) -> impl Iterator<Item = &NamedVolumeName> {
        let volumes = self.volumes.iter();
        let volumes = volumes.filter_map(|volume| match &volume.source {
            VolumeSource::Named { volume, .. } => Some(volume),
            _ => None,
        });
        let mounts = self.apps.iter().flat_map(|app| &app.mounts);
        volumes.chain(mounts.filter_map(|mount| match &mount.source {
            MountSource::Named { name, .. } => Some(name),
            _ => None,
        }))
    }

    /// Time between the stop signal and SIGKILL.
    pub fn grace_period(&self) -> Duration {
        Duration::from_millis(self.grace_period_ms)
    }
}
