//! What the operations of this crate work on.

use std::collections::BTreeSet;

use cni_glue::attach::Attacher;
use image_registry::Environment;
use image_store::{Store, WindowMemory};
use pod::PodsDir;
use pod::manifest::InsecureOption;
use pod::named_volumes::NamedVolumes;
use pod::network::CniFolders;

use crate::config::directories::Directories;

/// What operations work on, and by which rules: a plain value, of which there may be several.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The directories to work on.
    pub directories: Directories,
    /// What the user's environment says of registries.
    pub registries: Environment,
    /// Memory for inflating layers, which all clones of this share.
    pub memory: WindowMemory,
    /// Where CNI's own configuration and plugins are.
    pub cni: CniFolders,
    /// The Kubernetes namespace of the pods that this is for, if a kubelet runs them: rules may be for some namespaces alone.
    pub kubernetes_namespace: Option<String>,
    /// The protections that the caller gives up.
    pub insecure: BTreeSet<InsecureOption>,
}

impl Engine {
    /// The image store.
    pub fn store(&self) -> Store {
        Store::open_within(&self.directories.images(), &self.memory)
    }

    /// The pods.
    pub fn pods(&self) -> PodsDir {
        PodsDir::new(&self.directories.data)
    }

    /// The volumes that outlive pods.
    pub fn volumes(&self) -> NamedVolumes {
        NamedVolumes::new(&self.directories.data)
    }

    /// What puts pods into networks.
    pub fn attacher(&self) -> Attacher {
        let directories = &self.directories;
        pod::network::attacher(
            &directories.local_config,
            &directories.system_config,
            &directories.run,
            &self.cni,
        )
    }

    /// Whether a protection is given up.
    pub fn gives_up(&self, option: InsecureOption) -> bool {
        self.insecure.contains(&option)
    }
}
