//! The isolator: namespaces and cgroups.

use std::os::fd::OwnedFd;
use std::path::Path;

use cni_glue::Netns;
use pod::control::{AppStats, Usage};
use pod::feature::Feature;
use pod::manifest::{
    App, Capability, Device, HostNamespace, InsecureOption, Network, PodManifest, Resources,
    UserNamespace,
};
use pod::{AppName, PodUuid};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use stage1::app::device_files::{self, HostDevice};
use stage1::failure::StartFailure;
use stage1::host::init_process;
use stage1::host::namespace_limits;
use stage1::host::network_namespace::{FutureNetns, NetworkNamespace};
use stage1::host::pod::HostPod;
use stage1::link::{AppResources, HandedOver, descriptors};
use stage1::monitor::{Isolator, PodNetwork, StartedInit};
use stage1::networks::{PodNetworks, failed};
use stage1::pod_ids::{PodIds, root_of};

/// What this isolator can do: the features of its `stage1.json`.
const FEATURES: &[Feature] = &[
    Feature::AdditionalGroups,
    Feature::Apparmor,
    Feature::Attach,
    Feature::Bandwidth,
    Feature::BlockIo,
    Feature::Capabilities,
    Feature::CgroupParent,
    Feature::Cpuset,
    Feature::Credentials,
    Feature::Deadline,
    Feature::Devices,
    Feature::Exec,
    Feature::GrpcProbes,
    Feature::Hooks,
    Feature::HostNamespaces,
    Feature::HostNetwork,
    Feature::HostPids,
    Feature::HttpsProbes,
    Feature::Hugepages,
    Feature::JoinedProcesses,
    Feature::LogDriver,
    Feature::LogPath,
    Feature::MaskedPaths,
    Feature::MemoryReservation,
    Feature::MemorySwap,
    Feature::Mounts,
    Feature::Mutable,
    Feature::Networks,
    Feature::NewPrivileges,
    Feature::Notify,
    Feature::OomScoreAdj,
    Feature::Pause,
    Feature::PidNamespace,
    Feature::PodAddresses,
    Feature::PodResources,
    Feature::Privileged,
    Feature::Probes,
    Feature::ProcOptions,
    Feature::Readiness,
    Feature::ReadonlyPaths,
    Feature::ReadonlyRoot,
    Feature::ReopenLog,
    Feature::Resources,
    Feature::Restart,
    Feature::RestartRules,
    Feature::Rlimits,
    Feature::Seccomp,
    Feature::Selinux,
    Feature::ShmSize,
    Feature::SocketActivation,
    Feature::StartOrder,
    Feature::Stats,
    Feature::StdinOnce,
    Feature::Sysctl,
    Feature::Systemd,
    Feature::TerminationMessage,
    Feature::Tty,
    Feature::Umask,
    Feature::UnifiedCgroup,
    Feature::Update,
    Feature::UserNamespaces,
    Feature::Volumes,
    Feature::WritableCgroups,
];

/// One pod in namespaces of its own.
#[derive(Debug)]
pub(crate) struct Nspawn {
    pod: HostPod,
    /// The pod's network namespace, until its networks are joined.
    network: Option<FutureNetns>,
    networks: Option<PodNetworks>,
}

impl Nspawn {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            pod: HostPod::new(uuid, run_dir),
            network: None,
            networks: None,
        }
    }

    /// Why pod init's process has ended before it executed its program: by this exit code, or else it was killed.
    fn early_end(&self, exit_code: Option<i32>) -> StartFailure {
        match exit_code {
            Some(exit_code) => self.explain_end(exit_code),
            None => self.pod.explain_kill(),
        }
    }

    /// `/dev` and `/sys` of an app, where pod init can't make them.
    fn devices(
        &self,
        manifest: &PodManifest,
        app: &App,
    ) -> Result<(Option<OwnedFd>, Option<OwnedFd>), StartFailure> {
        // Pod init doesn't know the host's devices.
        let (root, is_mapped) = match self.pod.ids() {
            Some(ids) => (ids.root(), true),
            None if app.devices.is_empty() => return Ok((None, None)),
            None => ((Uid::ROOT, Gid::ROOT), false),
        };
        let files = manifest.bounds.memory_files;
        let label = app.security.mount_label.as_ref();
        let dev = device_files::make(app.execution.terminal, files, Some(root), label)?;
        let users = manifest.user_namespace.as_ref();
        let devices: Vec<_> = app
            .devices
            .iter()
            .map(|device| host_device(device, users, root))
            .collect();
        device_files::add(&dev, &devices)?;
        let needs_sys = is_mapped && manifest.network == Network::Host;
        let sys = needs_sys.then(device_files::sys_of_own_network);
        Ok((Some(dev), sys.transpose()?))
    }
}

impl Isolator for Nspawn {
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure> {
        let ids = manifest.user_namespace.as_ref();
        let (link, end) = descriptors::pair(ids.and_then(root_of))?;
        let network = (manifest.network != Network::Host).then(NetworkNamespace::new);
        let network = network.transpose()?;
        self.pod.find_cgroups(manifest)?;
        if is_among_host_processes(manifest) && !self.pod.cgroups()?.are_there() {
            return Err(StartFailure::other(
                "this host has no cgroups mounted, and without them nobody could tell which of its processes are the pod's and \
                 end them",
            ));
        }
        let (process, pid) = self.pod.start_init(manifest, end, network.as_ref())?;
        self.network = network
            .map(|network| network.of(pid, &process))
            .transpose()?;
        Ok(StartedInit {
            process,
            link: Box::new(link),
        })
    }

    // Made here, and not by pod init: there it could not be done inside of a user namespace, and it takes no longer, as
    // pod init is still on its way.
    fn hand_over(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        sockets: Vec<OwnedFd>,
    ) -> Result<HandedOver, StartFailure> {
        if self.pod.ids().is_some() && may_trace(app) && init_process::is_readable()? {
            return Err(StartFailure::other(format!(
                "app {} can't have CAP_SYS_PTRACE: it could take descriptors of pod init, whose program every user \
                 may read; chmod 711 forbids that",
                app.name
            )));
        }
        self.pod.add_app(manifest, app)?;
        if is_watched(manifest, app) {
            let of_nodes = app.devices.iter().map(Device::rule);
            let rules: Vec<_> = of_nodes.chain(app.device_rules.iter().copied()).collect();
            self.pod.cgroups()?.restrict_devices(&app.name, &rules)?;
        }
        let manages = app.systemd || app.security.writable_cgroups;
        if manages {
            let owner = self.pod.ids().map(PodIds::root);
            self.pod.cgroups()?.divide_app(&app.name, owner)?;
        }
        let (dev, sys) = self.devices(manifest, app)?;
        Ok(HandedOver::App(AppResources {
            seat: self
                .pod
                .cgroups()?
                .for_app(&app.name, self.pod.ids().is_some(), manages)?,
            proc: None,
            dev,
            sys,
            root: self.pod.root_of(manifest, app)?,
            mounts: self.pod.mounts(manifest, app)?,
            sockets,
        }))
    }

    fn features(&self) -> &'static [Feature] {
        FEATURES
    }

    fn make_app(&mut self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        self.pod.make_app(manifest, app)
    }

    fn take_back(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.pod.cgroups()?.remove_app(app)?)
    }

    fn update(&mut self, app: &AppName, resources: &Resources) -> Result<(), StartFailure> {
        self.pod.update(app, resources)
    }

    fn update_pod(&mut self, resources: &Resources) -> Result<(), StartFailure> {
        Ok(self.pod.cgroups()?.update_pod_in_time(resources)?)
    }

    fn stats(&mut self, app: &AppName) -> AppStats {
        self.pod.stats(app)
    }

    fn stats_of_pod(&mut self) -> Usage {
        self.pod.stats_of_pod()
    }

    fn oom_kills(&mut self, app: &AppName) -> Option<u64> {
        self.pod.cgroups().ok()?.oom_kills(app)
    }

    fn freeze(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.pod.cgroups()?.freeze(app)?)
    }

    fn thaw(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.pod.cgroups()?.thaw(app)?)
    }

    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure> {
        let Some(network) = self.network.take() else {
            return Ok(PodNetwork::default());
        };
        let netns = network
            .wait()?
            .map_err(|exit_code| self.early_end(exit_code))?;
        let netns = Netns::made(netns).map_err(failed)?;
        match manifest.network {
            Network::Host | Network::None => Ok(PodNetwork::default()),
            Network::All | Network::Named(_) => {
                let cgroup = self.pod.cgroups()?.path();
                self.networks
                    .insert(PodNetworks::of(self.pod.uuid())?)
                    .join(manifest, netns, cgroup.as_deref())
            }
        }
    }

    fn explain_early_end(&mut self) -> Option<StartFailure> {
        match self.network.take()?.wait() {
            Ok(Ok(_)) => None,
            Ok(Err(exit_code)) => Some(self.early_end(exit_code)),
            Err(failure) => Some(failure),
        }
    }

    // Nothing but the cgroups keeps hold of what pod init has started among the host's processes.
    fn end_rest(&mut self, manifest: &PodManifest) {
        if is_among_host_processes(manifest)
            && let Ok(cgroups) = self.pod.cgroups()
        {
            manifest
                .apps
                .iter()
                .for_each(|app| cgroups.end_app(&app.name));
        }
    }

    /// It is the error that kept its program from being executed.
    fn explain_end(&self, exit_code: i32) -> StartFailure {
        // Some of its namespaces it makes itself.
        if exit_code == Errno::NOSPC.raw_os_error()
            && let Some(failure) = namespace_limits::none_are_allowed()
        {
            return failure;
        }
        StartFailure::os("execute pod init")(std::io::Error::from_raw_os_error(exit_code))
    }

    fn explain_kill(&self, _signal: Option<i32>) -> StartFailure {
        self.pod.explain_kill()
    }

    fn clean_up(&mut self) -> Result<(), StartFailure> {
        let cgroups = self.pod.remove_cgroups();
        let networks = self
            .networks
            .take()
            .map_or(Ok(()), |mut networks| networks.leave());
        cgroups.and(networks)
    }
}

fn is_among_host_processes(manifest: &PodManifest) -> bool {
    manifest.host_namespaces.contains(&HostNamespace::Pid)
}

/// Whether an app may look into other processes of its user namespace.
fn may_trace(app: &App) -> bool {
    let capabilities = app.security.capabilities.as_ref();
    app.security.privileged
        || app.insecure_options.contains(&InsecureOption::Capabilities)
        || capabilities.is_some_and(|sets| {
            let all = [&sets.bounding, &sets.permitted, &sets.ambient];
            all.iter().any(|set| set.contains(&Capability::SysPtrace))
        })
}

/// Whether the kernel is to be asked what an app does with devices: it has some, or could make some. In a user namespace
/// nobody can.
fn is_watched(manifest: &PodManifest, app: &App) -> bool {
    if app.security.privileged {
        return false;
    }
    let capabilities = app.security.capabilities.as_ref();
    let may_make = capabilities.is_some_and(|sets| {
        let all = [&sets.bounding, &sets.permitted, &sets.ambient];
        all.iter().any(|set| set.contains(&Capability::Mknod))
    });
    let has_some = !(app.devices.is_empty() && app.device_rules.is_empty());
    has_some || (may_make && manifest.user_namespace.is_none())
}

/// A device as the host has it: an owner that the pod doesn't know is the pod's root.
fn host_device(device: &Device, users: Option<&UserNamespace>, root: (Uid, Gid)) -> HostDevice {
    let path = device.path.as_str();
    let (user, group) = match users {
        None => (Uid::from_raw(device.uid), Gid::from_raw(device.gid)),
        Some(ids) => (
            ids.host_uid(device.uid).map_or(root.0, Uid::from_raw),
            ids.host_gid(device.gid).map_or(root.1, Gid::from_raw),
        ),
    };
    HostDevice {
        path: path.strip_prefix("/dev/").unwrap_or(path).to_owned(),
        kind: device.kind,
        number: (device.major, device.minor),
        mode: device.file_mode.unwrap_or(0o666),
        owner: (user, group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::stage1::Stage1Manifest;

    #[test]
    fn its_manifest_names_what_it_can_do() {
        let text = include_str!("../stage1.json");
        let manifest: Stage1Manifest = serde_json::from_str(text).unwrap();
        assert_eq!(manifest.features, FEATURES.iter().copied().collect());
    }
}
