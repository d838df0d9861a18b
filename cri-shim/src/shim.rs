//! What all calls work on.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::config::cri::Cri;

use crate::api::PodSandboxMetadata;
use crate::broken_networks::BrokenNetworks;
use crate::cgroups::Driver;
use crate::disk::Disk;
use crate::error::CriError;
use crate::events::Watchers;
use crate::image::{Collector, Seen};
use crate::machines::Machines;
use crate::refusals::Refusals;
use crate::state::Cache;
use crate::stats::Rates;
use crate::streaming::{self, StreamServer};

/// How long a sandbox may take to be up: a kubelet waits for four minutes.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(200);

/// What all calls work on. Nothing in here is true that isn't on disk: it can be dropped at any moment, and another one
/// gives the same answers.
pub(crate) struct Shim {
    /// Images, pods and networks.
    pub(crate) engine: Engine,
    /// What the configuration says.
    pub(crate) settings: Cri,
    /// Who makes the cgroups of pods.
    pub(crate) cgroups: Driver,
    /// Manifests that have been read.
    pub(crate) cache: Cache,
    /// What the directories of containers take.
    pub(crate) disk: Disk,
    /// What those take where images and pods are: never behind those of containers, which can be many, and large.
    pub(crate) file_systems: Disk,
    /// How many processors things have used lately.
    pub(crate) rates: Rates,
    /// Files that are no networks, as far as the journal knows.
    pub(crate) broken_networks: BrokenNetworks,
    /// Those who are told what happens.
    pub(crate) watchers: Arc<Watchers>,
    /// Images that have been read.
    pub(crate) images: Seen,
    /// What takes removed images from the disk.
    pub(crate) collector: Collector,
    /// Whether virtual machines can run here.
    pub(crate) machines: Machines,
    /// What the journal was told lately of calls that came to nothing.
    pub(crate) refusals: Refusals,
    /// What gives URLs for streams, and serves them.
    pub(crate) streams: StreamServer,
}

impl Shim {
    /// Begins to serve streams.
    ///
    /// # Errors
    /// If the configuration doesn't let it.
    pub(crate) fn new(engine: Engine, settings: Cri) -> Result<Self, CriError> {
        let streams = streaming::start(&settings, &engine.directories)?;
        Ok(Self {
            engine,
            cgroups: Driver::of(settings.cgroup_driver),
            settings,
            cache: Cache::default(),
            disk: Disk::default(),
            file_systems: Disk::default(),
            rates: Rates::default(),
            broken_networks: BrokenNetworks::default(),
            watchers: Arc::default(),
            images: Seen::default(),
            collector: Collector::default(),
            machines: Machines::default(),
            refusals: Refusals::default(),
            streams,
        })
    }

    /// The engine for the pod of a sandbox: rules may be for some namespaces alone.
    pub(crate) fn engine_for(&self, sandbox: Option<&PodSandboxMetadata>) -> Engine {
        let namespace = sandbox.map(|metadata| metadata.namespace.clone());
        Engine {
            kubernetes_namespace: namespace.filter(|namespace| !namespace.is_empty()),
            ..self.engine.clone()
        }
    }
}
