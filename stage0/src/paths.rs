//! Where everything is.

use std::path::{Path, PathBuf};

use pod::PodUuid;

use crate::failure::Failure;

/// The folders that a command works on, all absolute.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    /// Images and pods (`/var/lib/fairing`).
    pub(crate) data: PathBuf,
    /// Runtime folders of pods (`/run/fairing`).
    pub(crate) run: PathBuf,
    /// The administrator's configuration (`/etc/fairing`).
    pub(crate) local_config: PathBuf,
    /// The vendor's configuration (`/usr/lib/fairing`).
    pub(crate) system_config: PathBuf,
}

impl Directories {
    /// Where the image store is.
    pub(crate) fn images(&self) -> PathBuf {
        self.data.join("images")
    }

    /// Where the unpacked layers are.
    pub(crate) fn layers(&self) -> PathBuf {
        self.data.join("images/layers")
    }

    /// The runtime folder of a pod.
    pub(crate) fn pod_run(&self, uuid: PodUuid) -> PathBuf {
        self.run.join("pods").join(uuid.to_string())
    }

    /// The folder that holds the local trust policy.
    pub(crate) fn local_trust(&self) -> PathBuf {
        self.local_config.join("trust.d")
    }
}

/// Makes a path absolute: the isolator is started in another folder.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::io("resolve", path))
}
