//! What all calls work on.

use std::time::Duration;

use engine::Engine;
use engine::config::cri::Cri;

use crate::state::Cache;

/// How long a sandbox may take to be up: a kubelet waits for four minutes.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(200);

/// What all calls work on. Nothing in here is true that isn't on disk: it can be dropped at any moment, and another one
/// gives the same answers.
#[derive(Debug)]
pub(crate) struct Shim {
    /// Images, pods and networks.
    pub(crate) engine: Engine,
    /// What the configuration says.
    pub(crate) settings: Cri,
    /// Manifests that have been read.
    pub(crate) cache: Cache,
}

impl Shim {
    pub(crate) fn new(engine: Engine, settings: Cri) -> Self {
        Self {
            engine,
            settings,
            cache: Cache::default(),
        }
    }
}
