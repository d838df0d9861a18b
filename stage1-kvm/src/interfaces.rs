//! The pod's networks, whose interfaces a machine has.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cni_glue::Netns;
use cni_glue::mac::Mac;
use cni_glue::tap::{TAPS, Tap};
use pod::PodUuid;
use pod::control::NetworkUse;
use pod::manifest::{Network, PodManifest};
use stage1::failure::StartFailure;
use stage1::monitor::PodNetwork;
use stage1::networks::{PodNetworks, failed};

/// The networks that were joined, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    networks: Option<PodNetworks>,
    /// Until the monitor asks.
    network: PodNetwork,
}

impl Interfaces {
    /// Joins the pod's networks, in a namespace that its processes are not in, and hands the interfaces to the machine:
    /// taps with hardware addresses. What the machine is told of them is kept for pod init.
    ///
    /// # Errors
    /// What failed, on which network.
    pub(crate) fn join(
        &mut self,
        uuid: PodUuid,
        manifest: &PodManifest,
        cgroup: Option<&str>,
    ) -> Result<Vec<(OwnedFd, Mac)>, StartFailure> {
        if manifest.network == Network::None {
            return Ok(Vec::new());
        }
        let netns = Netns::with_loopback().map_err(failed)?;
        let networks = self.networks.insert(PodNetworks::of(uuid)?);
        self.network = networks.join(manifest, netns, cgroup)?;
        let mut taps = Vec::new();
        let mut configs = Vec::new();
        for joined in &self.network.status.networks {
            let netns = networks.namespace();
            let netns = netns.ok_or_else(|| StartFailure::other("the pod has no network"))?;
            let Tap { device, config } =
                netns.hand_to_machine(&joined.interface).map_err(failed)?;
            taps.push((device, config.mac));
            configs.push(config);
        }
        self.network.interfaces = Some(configs);
        Ok(taps)
    }

    /// What came of joining, once.
    pub(crate) fn take(&mut self) -> PodNetwork {
        std::mem::take(&mut self.network)
    }

    /// What went through them.
    pub(crate) fn usage(&self) -> Option<NetworkUse> {
        // What goes through a tap went through the interface that it belongs to.
        let networks = self.networks.as_ref()?;
        networks.usage(|name| !name.starts_with(TAPS))
    }

    /// Where their namespace is.
    pub(crate) fn namespace(&self) -> Option<PathBuf> {
        self.networks.as_ref()?.namespace_path()
    }

    /// Leaves all of them.
    ///
    /// # Errors
    /// What failed, on which network.
    pub(crate) fn leave(&mut self) -> Result<(), StartFailure> {
        let networks = self.networks.take();
        networks.map_or(Ok(()), |mut networks| networks.leave())
    }
}
