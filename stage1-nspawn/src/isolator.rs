//! The isolator: namespaces and cgroups.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use cni_glue::Netns;
use pod::manifest::{Network, PodManifest};
use pod::{AppName, PodUuid};
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::monitor::{Isolator, PodNetwork};
use stage1::protocol::CgroupFds;

use crate::init_process;
use crate::network::{PodNetworks, failed};

/// One pod in namespaces of its own.
#[derive(Debug)]
pub(crate) struct Nspawn {
    uuid: PodUuid,
    run_dir: PathBuf,
    cgroups: Option<PodCgroups>,
    networks: Option<PodNetworks>,
}

impl Nspawn {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            uuid,
            run_dir: run_dir.to_path_buf(),
            cgroups: None,
            networks: None,
        }
    }

    fn cgroups(&self) -> Result<&PodCgroups, StartFailure> {
        self.cgroups
            .as_ref()
            .ok_or_else(|| StartFailure::other("the pod's cgroups are not there"))
    }
}

impl Isolator for Nspawn {
    fn prepare(&mut self, manifest: &PodManifest) -> Result<(), StartFailure> {
        let cgroups = PodCgroups::create(&self.uuid.to_string(), Some(&self.run_dir))?;
        let cgroups = self.cgroups.insert(cgroups);
        for app in &manifest.apps {
            cgroups.add_app(&app.name, &app.resources)?;
        }
        Ok(())
    }

    // Made here and not with pod init's other namespaces: it takes as long as starting pod init, which doesn't
    // need it until the apps start.
    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure> {
        match manifest.network {
            Network::Host => Ok(PodNetwork::default()),
            Network::None => Ok(PodNetwork {
                namespace: Some(Netns::with_loopback().map_err(failed)?.into()),
                ..PodNetwork::default()
            }),
            Network::All | Network::Named(_) => {
                let cgroup = self.cgroups()?.path();
                self.networks
                    .insert(PodNetworks::of(self.uuid)?)
                    .join(manifest, cgroup.as_deref())
            }
        }
    }

    fn cgroup(&mut self, app: &AppName) -> Result<(CgroupFds, Vec<OwnedFd>), StartFailure> {
        Ok(self.cgroups()?.for_app(app)?)
    }

    fn start(&mut self, _manifest: &PodManifest, end: OwnedFd) -> Result<OwnedFd, StartFailure> {
        let (folder, tasks) = self.cgroups()?.for_init()?;
        init_process::start(self.uuid, end, folder.as_ref(), &tasks)
    }

    fn oom_kills(&self, app: &AppName) -> u64 {
        self.cgroups
            .as_ref()
            .map_or(0, |cgroups| cgroups.oom_kills(app))
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
