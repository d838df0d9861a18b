//! The manifest of version 2, as releases up to 0.1 wrote it: for pods that were prepared or running when fairing was
//! upgraded. These types never change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cni_glue::bandwidth::Bandwidth;
use cni_glue::names::{DnsOptions, HostsEntry};
use cni_glue::ports::PortMapping;
use image_name::{Digest, Prefix, Reference};
use serde::Deserialize;

use super::app::{App, Apps};
use super::bounds::Bounds;
use super::execution::{Execution, User};
use super::image::{ImageRecord, VerificationRecord, scope};
use super::insecure::InsecureOption;
use super::limit::Limit;
use super::network::Network;
use super::path::AppPath;
use super::pod::{AppFailure, Lifetime, PodManifest, Stage1Choice, Streams};
use super::resources::{Cpu, Memory, Pids, Resources};
use crate::id::{AppName, PodName, PodUuid};
use crate::record::Version;
use crate::signal::SignalNumber;
use crate::timestamp::Timestamp;

/// Its version.
pub(super) const VERSION_2: u64 = 2;
/// Length of the accounting period of processor time, in microseconds, which version 2 doesn't name.
const CPU_PERIOD: u64 = 100_000;

/// A pod.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PodManifest2 {
    #[serde(rename = "version")]
    _version: Version<VERSION_2>,
    uuid: PodUuid,
    #[serde(default)]
    name: Option<PodName>,
    created: Timestamp,
    stage1: Stage1Choice2,
    hostname: String,
    network: Network,
    #[serde(default)]
    ports: Vec<PortMapping>,
    #[serde(default)]
    bandwidth: Option<Bandwidth>,
    #[serde(default)]
    dns: DnsOptions,
    #[serde(default)]
    hosts: Vec<HostsEntry>,
    streams: Streams2,
    grace_period_ms: u64,
    remove_on_exit: bool,
    #[serde(default)]
    insecure_options: BTreeSet<InsecureOption2>,
    apps: Vec<App2>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stage1Choice2 {
    name: String,
    path: PathBuf,
    #[serde(default)]
    image: Option<Box<ImageRecord2>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Streams2 {
    Foreground,
    Log,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum InsecureOption2 {
    Image,
    Http,
    Tls,
    Seccomp,
    Capabilities,
    Paths,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct App2 {
    name: AppName,
    image: ImageRecord2,
    argv: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    user: String,
    #[serde(default)]
    group: String,
    workdir: String,
    stop_signal: i32,
    #[serde(default)]
    tty: bool,
    #[serde(default)]
    stdin: bool,
    #[serde(default)]
    resources: Resources2,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Resources2 {
    #[serde(default)]
    memory: Option<u64>,
    #[serde(default)]
    cpu_millis: Option<u64>,
    #[serde(default)]
    cpu_shares: Option<u64>,
    #[serde(default)]
    pids: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ImageRecord2 {
    reference: Reference,
    manifest: Digest,
    layers: Vec<Digest>,
    verification: VerificationRecord2,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct VerificationRecord2 {
    policy: String,
    #[serde(default, deserialize_with = "scope")]
    rule_prefix: Option<Prefix>,
    #[serde(default)]
    rule_file: Option<PathBuf>,
    #[serde(default)]
    keys: Vec<Digest>,
    #[serde(default)]
    signed_digest: Option<Digest>,
    #[serde(default)]
    integrity: Option<String>,
}

impl TryFrom<PodManifest2> for PodManifest {
    type Error = String;

    fn try_from(old: PodManifest2) -> Result<Self, Self::Error> {
        let insecure_options: BTreeSet<InsecureOption> =
            old.insecure_options.into_iter().map(Into::into).collect();
        let apps = old
            .apps
            .into_iter()
            .map(|app| app.understood(&insecure_options));
        let apps: Vec<App> = apps.collect::<Result<_, _>>()?;
        Ok(Self {
            version: Version,
            uuid: old.uuid,
            name: old.name,
            created: old.created,
            stage1: Stage1Choice {
                name: old.stage1.name,
                path: old.stage1.path,
                image: old.stage1.image.map(|image| Box::new((*image).into())),
            },
            lifetime: Lifetime::WithApps,
            on_app_failure: AppFailure::StopPod,
            ready_when: Default::default(),
            active_deadline_seconds: None,
            hostname: old.hostname,
            network: old.network,
            ports: old.ports,
            bandwidth: old.bandwidth,
            dns: old.dns,
            hosts: old.hosts,
            user_namespace: None,
            selinux: None,
            volumes: Vec::new(),
            sysctl: Default::default(),
            shm_size: None,
            new_privileges: false,
            host_namespaces: Default::default(),
            cgroup_parent: None,
            virtual_machine: None,
            resources: Resources::default(),
            bounds: Bounds::default(),
            streams: match old.streams {
                Streams2::Foreground => Streams::Foreground,
                Streams2::Log => Streams::Log,
            },
            grace_period_ms: old.grace_period_ms,
            remove_on_exit: old.remove_on_exit,
            insecure_options,
            labels: Default::default(),
            annotations: Default::default(),
            apps: Apps::try_from(apps).map_err(|error| error.to_string())?,
        })
    }
}

impl App2 {
    fn understood(self, insecure_options: &BTreeSet<InsecureOption>) -> Result<App, String> {
        let execution = Execution {
            args: self.argv,
            env: self.env,
            cwd: AppPath::try_from(self.workdir).map_err(|error| error.to_string())?,
            user: User {
                user: self.user,
                group: self.group,
                ..User::default()
            },
            terminal: self.tty,
            console_size: None,
            stdin: self.stdin,
            stdin_once: false,
            rlimits: Vec::new(),
            oom_score_adj: None,
            addresses: BTreeMap::new(),
        };
        Ok(App {
            name: self.name,
            image: self.image.into(),
            execution,
            security: Default::default(),
            insecure_options: insecure_options.clone(),
            mounts: Vec::new(),
            devices: Vec::new(),
            device_rules: Vec::new(),
            resources: self.resources.into(),
            systemd: false,
            own_processes: false,
            processes_of: None,
            stop_signal: SignalNumber::try_from(self.stop_signal)
                .map_err(|error| error.to_string())?,
            role: Default::default(),
            restart: Default::default(),
            restart_rules: Vec::new(),
            probes: Default::default(),
            hooks: Default::default(),
            termination_message: None,
            log: None,
            labels: Default::default(),
            annotations: Default::default(),
        })
    }
}

impl From<Resources2> for Resources {
    fn from(old: Resources2) -> Self {
        let memory = old.memory.map(Limit::At);
        let quota = old
            .cpu_millis
            .map(|millis| millis.saturating_mul(CPU_PERIOD / 1000));
        Self {
            memory: Memory {
                limit: memory,
                reservation: None,
                // An app with a limit could not swap.
                swap: memory,
                swappiness: None,
            },
            cpu: Cpu {
                shares: old.cpu_shares,
                quota: quota.map(Limit::At),
                period: quota.map(|_| CPU_PERIOD),
                ..Cpu::default()
            },
            pids: Pids {
                limit: old.pids.map(|pids| Limit::At(pids.into())),
            },
            ..Self::default()
        }
    }
}

impl From<InsecureOption2> for InsecureOption {
    fn from(old: InsecureOption2) -> Self {
        match old {
            InsecureOption2::Image => Self::Image,
            InsecureOption2::Http => Self::Http,
            InsecureOption2::Tls => Self::Tls,
            InsecureOption2::Seccomp => Self::Seccomp,
            InsecureOption2::Capabilities => Self::Capabilities,
            InsecureOption2::Paths => Self::Paths,
        }
    }
}

impl From<ImageRecord2> for ImageRecord {
    fn from(old: ImageRecord2) -> Self {
        let verification = old.verification;
        Self {
            reference: old.reference,
            manifest: old.manifest,
            layers: old.layers,
            verification: VerificationRecord {
                policy: verification.policy,
                rule_prefix: verification.rule_prefix,
                rule_file: verification.rule_file,
                keys: verification.keys,
                signed_digest: verification.signed_digest,
                integrity: verification.integrity,
            },
            filesystem: None,
        }
    }
}
