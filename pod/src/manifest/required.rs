//! What an isolator must be able to do to run a pod or an app of it.
//!
//! Every field is either here, or one that any isolator obeys, or a record that none needs to.

use std::collections::BTreeSet;

use super::app::App;
use super::execution::Execution;
use super::limit::Limit;
use super::mounts::{Mount, MountSource};
use super::namespaces::HostNamespace;
use super::network::Network;
use super::pod::{AppFailure, Lifetime, PodManifest};
use super::presence::is_default;
use super::resources::Resources;
use super::restart::Restart;
use super::role::{ReadyWhen, Role};
use super::security::Security;
use crate::feature::Feature;

impl PodManifest {
    /// What an isolator must be able to do to run this pod.
    pub fn required_features(&self) -> BTreeSet<Feature> {
        let network = match self.network {
            Network::None => None,
            Network::Host => Some(Feature::HostNetwork),
            Network::All | Network::Named(_) => Some(Feature::Networks),
        };
        let mutable = self.lifetime != Lifetime::WithApps
            || self.on_app_failure != AppFailure::StopPod
            || self.apps.is_empty();
        let of_pod = [
            (mutable, Feature::Mutable),
            (!self.ports.is_empty(), Feature::Networks),
            (self.bandwidth.is_some(), Feature::Bandwidth),
            (self.user_namespace.is_some(), Feature::UserNamespaces),
            (!self.volumes.is_empty(), Feature::Volumes),
            (self.selinux.is_some(), Feature::Selinux),
            (!self.sysctl.is_empty(), Feature::Sysctl),
            (self.shm_size.is_some(), Feature::ShmSize),
            (self.new_privileges, Feature::NewPrivileges),
            (!self.host_namespaces.is_empty(), Feature::HostNamespaces),
            (
                self.host_namespaces.contains(&HostNamespace::Pid),
                Feature::HostPids,
            ),
            (self.cgroup_parent.is_some(), Feature::CgroupParent),
            (self.virtual_machine.is_some(), Feature::VirtualMachine),
            (!self.resources.is_unlimited(), Feature::PodResources),
            (self.ready_when != ReadyWhen::Started, Feature::Readiness),
            (self.ready_when == ReadyWhen::Notified, Feature::Notify),
            (self.active_deadline_seconds.is_some(), Feature::Deadline),
        ];
        let mut required = used(of_pod);
        // Disks and processors of the host are the pod's in `pod-resources`: an app in a machine of its own has none of them.
        let of_all = self.resources.required_features();
        let of_apps_alone = [Feature::BlockIo, Feature::Cpuset];
        required.extend(
            of_all
                .into_iter()
                .filter(|feature| !of_apps_alone.contains(feature)),
        );
        required.extend(network);
        required.extend(self.apps.iter().flat_map(App::required_features));
        required
    }
}

impl App {
    /// What an isolator must be able to do to run this app.
    pub fn required_features(&self) -> BTreeSet<Feature> {
        let log = self.log.as_ref();
        let of_app = [
            (self.mounts.iter().any(Mount::is_asked_for), Feature::Mounts),
            (self.notifies(), Feature::Notify),
            (self.has_credentials(), Feature::Credentials),
            (!self.devices.is_empty(), Feature::Devices),
            (!self.device_rules.is_empty(), Feature::Devices),
            (self.role != Role::Main, Feature::StartOrder),
            (self.restart != Restart::default(), Feature::Restart),
            (!self.restart_rules.is_empty(), Feature::RestartRules),
            (
                self.termination_message.is_some(),
                Feature::TerminationMessage,
            ),
            (!is_default(&self.probes), Feature::Probes),
            (!is_default(&self.hooks), Feature::Hooks),
            (self.probes.use_grpc(), Feature::GrpcProbes),
            (
                self.probes.use_tls() || self.hooks.use_tls(),
                Feature::HttpsProbes,
            ),
            (log.is_some_and(|log| log.path.is_some()), Feature::LogPath),
            (
                log.is_some_and(|log| {
                    log.driver.is_some() || log.max_size.is_some() || log.tag.is_some()
                }),
                Feature::LogDriver,
            ),
            (self.systemd, Feature::Systemd),
            (self.own_processes, Feature::PidNamespace),
            (self.processes_of.is_some(), Feature::JoinedProcesses),
        ];
        let mut required = used(of_app);
        required.extend(self.execution.required_features());
        required.extend(self.security.required_features());
        required.extend(self.resources.required_features());
        required
    }
}

impl App {
    /// Whether it says something of itself.
    pub fn notifies(&self) -> bool {
        let mut mounts = self.mounts.iter();
        mounts.any(|mount| mount.source == MountSource::Notify)
    }

    fn has_credentials(&self) -> bool {
        let mut mounts = self.mounts.iter();
        mounts.any(|mount| matches!(mount.source, MountSource::Credentials { .. }))
    }
}

impl Mount {
    /// Whether it is there because somebody wants something to be mounted, and not for what a service manager has to do with
    /// the app.
    fn is_asked_for(&self) -> bool {
        !matches!(
            self.source,
            MountSource::Notify | MountSource::Credentials { .. }
        )
    }
}

impl Execution {
    fn required_features(&self) -> BTreeSet<Feature> {
        used([
            (self.terminal, Feature::Tty),
            // A size without a terminal means nothing, and is not to be ignored either.
            (self.console_size.is_some(), Feature::Tty),
            (self.stdin_once, Feature::StdinOnce),
            (
                !self.user.additional_gids.is_empty()
                    || !self.user.additional_groups.is_empty()
                    || self.user.image_groups.is_some(),
                Feature::AdditionalGroups,
            ),
            (self.user.umask.is_some(), Feature::Umask),
            (!self.rlimits.is_empty(), Feature::Rlimits),
            (self.oom_score_adj.is_some(), Feature::OomScoreAdj),
            (!self.addresses.is_empty(), Feature::PodAddresses),
        ])
    }
}

impl Security {
    fn required_features(&self) -> BTreeSet<Feature> {
        used([
            (self.privileged, Feature::Privileged),
            (self.capabilities.is_some(), Feature::Capabilities),
            (self.seccomp.is_some(), Feature::Seccomp),
            (!self.no_new_privileges, Feature::NewPrivileges),
            (self.masked_paths.is_some(), Feature::MaskedPaths),
            (self.readonly_paths.is_some(), Feature::ReadonlyPaths),
            (!self.proc_options.is_empty(), Feature::ProcOptions),
            (self.read_only_root, Feature::ReadonlyRoot),
            (self.writable_cgroups, Feature::WritableCgroups),
            (self.apparmor_profile.is_some(), Feature::Apparmor),
            (
                self.selinux_label.is_some() || self.mount_label.is_some(),
                Feature::Selinux,
            ),
        ])
    }
}

impl Resources {
    /// What an isolator must be able to do to set these limits.
    pub fn required_features(&self) -> BTreeSet<Feature> {
        let (memory, cpu) = (&self.memory, &self.cpu);
        let limited = memory.limit.is_some()
            || cpu.shares.is_some()
            || cpu.quota.is_some()
            || cpu.period.is_some()
            || self.pids.limit.is_some();
        // As much for memory and swap as for memory alone is no swap, which every isolator can do that limits memory.
        let no_swap = match (memory.limit, memory.swap) {
            (Some(Limit::At(limit)), Some(Limit::At(swap))) => limit == swap,
            (limit, swap) => limit.is_none() && swap.is_none(),
        };
        used([
            (limited, Feature::Resources),
            (!no_swap || memory.swappiness.is_some(), Feature::MemorySwap),
            (memory.reservation.is_some(), Feature::MemoryReservation),
            (
                !cpu.cpus.is_empty() || !cpu.mems.is_empty(),
                Feature::Cpuset,
            ),
            (!is_default(&self.block_io), Feature::BlockIo),
            (!self.hugepage_limits.is_empty(), Feature::Hugepages),
            (!self.unified.is_empty(), Feature::UnifiedCgroup),
        ])
    }
}

fn used<const N: usize>(features: [(bool, Feature); N]) -> BTreeSet<Feature> {
    features
        .into_iter()
        .filter_map(|(is_used, feature)| is_used.then_some(feature))
        .collect()
}
