//! The isolator: a root directory and cgroups, and nothing else.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use pod::control::{AppStats, Usage};
use pod::feature::Feature;
use pod::manifest::{App, HostNamespace, Network, PodManifest, Resources};
use pod::{AppName, PodUuid};
use stage1::failure::StartFailure;
use stage1::host::pod::HostPod;
use stage1::link::{AppResources, HandedOver, descriptors};
use stage1::monitor::{Isolator, PodNetwork, StartedInit};

use crate::host_mounts::copy_of;

/// What this isolator can do: the features of its `stage1.json`.
const FEATURES: &[Feature] = &[
    Feature::AdditionalGroups,
    Feature::Attach,
    Feature::BlockIo,
    Feature::Capabilities,
    Feature::CgroupParent,
    Feature::Cpuset,
    Feature::Credentials,
    Feature::Deadline,
    Feature::Exec,
    Feature::GrpcProbes,
    Feature::Hooks,
    Feature::HostNamespaces,
    Feature::HostNetwork,
    Feature::HttpsProbes,
    Feature::HostPids,
    Feature::Hugepages,
    Feature::LogDriver,
    Feature::LogPath,
    Feature::MaskedPaths,
    Feature::MemoryReservation,
    Feature::MemorySwap,
    Feature::Mounts,
    Feature::NewPrivileges,
    Feature::Notify,
    Feature::OomScoreAdj,
    Feature::Pause,
    Feature::PodResources,
    Feature::Privileged,
    Feature::Probes,
    Feature::Readiness,
    Feature::ReadonlyPaths,
    Feature::ReadonlyRoot,
    Feature::ReopenLog,
    Feature::Resources,
    Feature::Restart,
    Feature::RestartRules,
    Feature::Rlimits,
    Feature::Seccomp,
    Feature::SocketActivation,
    Feature::StartOrder,
    Feature::Stats,
    Feature::StdinOnce,
    Feature::Tty,
    Feature::Umask,
    Feature::UnifiedCgroup,
    Feature::Update,
    Feature::Volumes,
];

/// What a pod has to say that it shares with the host, beside the network.
const SHARED: [HostNamespace; 4] = [
    HostNamespace::Cgroup,
    HostNamespace::Ipc,
    HostNamespace::Pid,
    HostNamespace::Uts,
];

/// One pod on the host.
#[derive(Debug)]
pub(crate) struct Fly {
    pod: HostPod,
}

impl Fly {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            pod: HostPod::new(uuid, run_dir),
        }
    }
}

/// Refuses a pod that says that it is kept apart: whoever looks at it would be misled.
fn shares_everything(manifest: &PodManifest) -> Result<(), StartFailure> {
    let is_of_host = manifest.network == Network::Host && manifest.user_namespace.is_none();
    match is_of_host && are_all_shared(&manifest.host_namespaces) {
        true => Ok(()),
        false => Err(StartFailure::other(
            "the pod is to have namespaces of its own, and the isolator `fly` makes none",
        )),
    }
}

fn are_all_shared(shared: &BTreeSet<HostNamespace>) -> bool {
    SHARED.iter().all(|one| shared.contains(one))
}

impl Isolator for Fly {
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure> {
        shares_everything(manifest)?;
        let (link, end) = descriptors::pair(None)?;
        self.pod.find_cgroups(manifest)?;
        if !self.pod.cgroups()?.are_there() {
            return Err(StartFailure::other(
                "this host has no cgroups mounted, and without them nobody could tell what is the pod's and end it",
            ));
        }
        let (process, _) = self.pod.start_init(manifest, end, None)?;
        Ok(StartedInit {
            process,
            link: Box::new(link),
        })
    }

    fn hand_over(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        sockets: Vec<OwnedFd>,
    ) -> Result<HandedOver, StartFailure> {
        self.pod.add_app(manifest, app)?;
        Ok(HandedOver::App(AppResources {
            seat: self.pod.cgroups()?.for_app(&app.name, false, false)?,
            proc: Some(copy_of("/proc")?),
            dev: Some(copy_of("/dev")?),
            sys: Some(copy_of("/sys")?),
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

    /// It is the host's.
    fn network(&mut self, _: &PodManifest) -> Result<PodNetwork, StartFailure> {
        Ok(PodNetwork::default())
    }

    // Nothing but the cgroups keeps hold of what pod init has started.
    fn end_rest(&mut self, manifest: &PodManifest) {
        if let Ok(cgroups) = self.pod.cgroups() {
            manifest
                .apps
                .iter()
                .for_each(|app| cgroups.end_app(&app.name));
        }
    }

    /// It is the error that kept its program from being executed.
    fn explain_end(&self, exit_code: i32) -> StartFailure {
        StartFailure::os("execute pod init")(std::io::Error::from_raw_os_error(exit_code))
    }

    fn explain_kill(&self, _signal: Option<i32>) -> StartFailure {
        self.pod.explain_kill()
    }

    fn clean_up(&mut self) -> Result<(), StartFailure> {
        self.pod.remove_cgroups()
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
        assert!(!manifest.isolates);
    }

    #[test]
    fn a_pod_that_says_that_it_is_kept_apart_is_refused() {
        let mut shared = BTreeSet::from(SHARED);
        assert!(are_all_shared(&shared));
        shared.remove(&HostNamespace::Pid);
        assert!(!are_all_shared(&shared));
    }
}
