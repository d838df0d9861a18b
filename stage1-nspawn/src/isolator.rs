//! The isolator: namespaces and cgroups.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cni_glue::Netns;
use pod::control::{AppStats, CpuStats, MemoryStats, PidsStats};
use pod::feature::Feature;
use pod::manifest::{App, Network, PodManifest, Resources};
use pod::stage1::{ENV_DIR, ENV_LAYERS_DIR, ENV_RUN};
use pod::{AppName, PodUuid, app_dir};
use stage1::app::device_files;
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::link::{AppResources, HandedOver, descriptors};
use stage1::monitor::{Isolator, PodNetwork, StartedInit};
use stage1::mounts::{VolumePlaces, Volumes};
use stage1::overlay::{Storage, mount_points, tree_of};
use stage1::pod_ids::{PodIds, root_of};

use crate::environment::variable;
use crate::init_process::{self, InitProcess};
use crate::network::{PodNetworks, failed};

/// What this isolator can do: the features of its `stage1.json`.
const FEATURES: &[Feature] = &[
    Feature::AdditionalGroups,
    Feature::Attach,
    Feature::Bandwidth,
    Feature::Capabilities,
    Feature::Exec,
    Feature::HostNamespaces,
    Feature::HostNetwork,
    Feature::MaskedPaths,
    Feature::Mounts,
    Feature::Mutable,
    Feature::Networks,
    Feature::NewPrivileges,
    Feature::OomScoreAdj,
    Feature::Pause,
    Feature::PidNamespace,
    Feature::Privileged,
    Feature::ProcOptions,
    Feature::ReadonlyPaths,
    Feature::ReadonlyRoot,
    Feature::ReopenLog,
    Feature::Resources,
    Feature::Rlimits,
    Feature::Seccomp,
    Feature::ShmSize,
    Feature::SocketActivation,
    Feature::Stats,
    Feature::Sysctl,
    Feature::Systemd,
    Feature::Tty,
    Feature::Umask,
    Feature::Update,
    Feature::UserNamespaces,
    Feature::Volumes,
];

/// One pod in namespaces of its own.
#[derive(Debug)]
pub(crate) struct Nspawn {
    uuid: PodUuid,
    run_dir: PathBuf,
    cgroups: Option<PodCgroups>,
    /// The pod's user namespace, if it has one of its own.
    ids: Option<Arc<PodIds>>,
    storage: Option<Storage>,
    volumes: Option<Volumes>,
    networks: Option<PodNetworks>,
}

impl Nspawn {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            uuid,
            run_dir: run_dir.to_path_buf(),
            cgroups: None,
            ids: None,
            storage: None,
            volumes: None,
            networks: None,
        }
    }

    fn cgroups(&self) -> Result<&PodCgroups, StartFailure> {
        self.cgroups
            .as_ref()
            .ok_or_else(|| StartFailure::other("the pod's cgroups are not there"))
    }

    /// What is mounted in an app beside its root filesystem. The pod's directory is the working directory.
    fn mounts(&mut self, manifest: &PodManifest, app: &App) -> Result<Vec<OwnedFd>, StartFailure> {
        if self.volumes.is_none() && !app.mounts.is_empty() {
            let places = VolumePlaces {
                pod: PathBuf::from("."),
                data: PathBuf::from(variable(ENV_DIR)?),
                layers: PathBuf::from(variable(ENV_LAYERS_DIR)?),
            };
            self.volumes = Some(Volumes::new(&manifest.volumes, places, self.ids.clone()));
        }
        let Some(volumes) = &mut self.volumes else {
            return Ok(Vec::new());
        };
        app.mounts
            .iter()
            .map(|mount| volumes.mount(mount))
            .collect()
    }

    /// `/dev` and `/sys` of an app, where pod init can't mount them.
    fn devices(
        &self,
        manifest: &PodManifest,
        app: &App,
    ) -> Result<(Option<OwnedFd>, Option<OwnedFd>), StartFailure> {
        let Some(ids) = &self.ids else {
            return Ok((None, None));
        };
        let files = manifest.bounds.memory_files;
        let dev = device_files::make(app.execution.terminal, files, Some(ids.root()))?;
        let sys = (manifest.network == Network::Host).then(device_files::sys_of_own_network);
        Ok((Some(dev), sys.transpose()?))
    }

    /// The pod's directory is the working directory.
    fn storage(&mut self, manifest: &PodManifest) -> Result<&Storage, StartFailure> {
        if self.storage.is_none() {
            let mount_points = mount_points::open_or_make(Path::new(&variable(ENV_RUN)?))?;
            let layers = PathBuf::from(variable(ENV_LAYERS_DIR)?);
            let discard = manifest.remove_on_exit;
            let ids = self.ids.clone();
            let storage = Storage::open(&layers, Path::new("."), mount_points, discard, ids)?;
            self.storage = Some(storage);
        }
        self.storage
            .as_ref()
            .ok_or_else(|| StartFailure::other("the image store is not open"))
    }
}

impl Isolator for Nspawn {
    fn prepare(&mut self, _manifest: &PodManifest) -> Result<(), StartFailure> {
        let cgroups = PodCgroups::create(&self.uuid.to_string(), &self.run_dir)?;
        self.cgroups = Some(cgroups);
        Ok(())
    }

    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure> {
        let ids = manifest.user_namespace.as_ref();
        let (link, end) = descriptors::pair(ids.and_then(root_of))?;
        let (folder, tasks) = self.cgroups()?.for_init()?;
        let InitProcess { process, ids } = init_process::start(
            self.uuid,
            end,
            folder.as_ref(),
            &tasks,
            ids,
            &manifest.host_namespaces,
        )?;
        self.ids = ids.map(Arc::new);
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
        self.cgroups()?.add_app(&app.name, &app.resources)?;
        if app.resources.pids.limit.is_none() {
            let usual = manifest.bounds.pids;
            self.cgroups()?.bound_processes(&app.name, usual)?;
        }
        if app.systemd {
            let owner = self.ids.as_ref().map(|ids| ids.root());
            self.cgroups()?.divide_app(&app.name, owner)?;
        }
        let (dev, sys) = self.devices(manifest, app)?;
        Ok(HandedOver::App(AppResources {
            seat: self
                .cgroups()?
                .for_app(&app.name, self.ids.is_some(), app.systemd)?,
            dev,
            sys,
            root: self
                .storage(manifest)?
                .overlay(&app.name, &app.image.layers)?,
            mounts: self.mounts(manifest, app)?,
            sockets,
        }))
    }

    fn features(&self) -> &'static [Feature] {
        FEATURES
    }

    fn make_app(&mut self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        let layers = PathBuf::from(variable(ENV_LAYERS_DIR)?);
        let top = app.image.layers.last();
        let top = top.map(|layer| tree_of(&layers, layer));
        let ids = manifest.user_namespace.as_ref();
        Ok(app_dir::make(
            Path::new("."),
            &app.name,
            top.as_deref(),
            ids,
        )?)
    }

    fn take_back(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.cgroups()?.remove_app(app)?)
    }

    fn update(&mut self, app: &AppName, resources: &Resources) -> Result<(), StartFailure> {
        Ok(self.cgroups()?.update_in_time(app, resources)?)
    }

    fn stats(&mut self, app: &AppName) -> AppStats {
        let counted = self.cgroups().map(|cgroups| cgroups.statistics(app));
        let counted = counted.unwrap_or_default();
        AppStats {
            app: app.clone(),
            cpu: CpuStats {
                usage_ns: counted.cpu_nanoseconds,
                ..CpuStats::default()
            },
            memory: MemoryStats {
                usage: counted.memory,
                working_set: counted.working_set,
                limit: counted.memory_limit,
                oom_kills: Some(counted.oom_kills),
                ..MemoryStats::default()
            },
            pids: PidsStats {
                current: counted.pids,
                limit: counted.pids_limit,
            },
        }
    }

    fn oom_kills(&mut self, app: &AppName) -> Option<u64> {
        self.cgroups().ok()?.oom_kills(app)
    }

    fn freeze(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.cgroups()?.freeze(app)?)
    }

    fn thaw(&mut self, app: &AppName) -> Result<(), StartFailure> {
        Ok(self.cgroups()?.thaw(app)?)
    }

    // Made here and not with pod init's other namespaces: it takes as long as starting pod init, which doesn't
    // need it until the apps start.
    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure> {
        let ids = self.ids.clone();
        let owner = ids.as_ref().map(|ids| ids.namespace());
        match manifest.network {
            Network::Host => Ok(PodNetwork::default()),
            Network::None => Ok(PodNetwork {
                namespace: Some(Netns::with_loopback(owner).map_err(failed)?.into()),
                ..PodNetwork::default()
            }),
            Network::All | Network::Named(_) => {
                let cgroup = self.cgroups()?.path();
                self.networks.insert(PodNetworks::of(self.uuid)?).join(
                    manifest,
                    owner,
                    cgroup.as_deref(),
                )
            }
        }
    }

    /// It is the error that kept its program from being executed.
    fn explain_end(&self, exit_code: i32) -> StartFailure {
        StartFailure::os("execute pod init")(std::io::Error::from_raw_os_error(exit_code))
    }

    fn clean_up(&mut self) -> Result<(), StartFailure> {
        let cgroups = self.cgroups.take().map_or(Ok(()), |cgroups| {
            cgroups.remove().map_err(StartFailure::from)
        });
        let networks = self
            .networks
            .take()
            .map_or(Ok(()), |mut networks| networks.leave());
        cgroups.and(networks)
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
