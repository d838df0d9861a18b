//! Where everything is.

use std::path::PathBuf;

use pod::PodUuid;

/// The directories that a command works on, all absolute.
#[derive(Debug, Clone)]
pub struct Directories {
    /// Images and pods (`/var/lib/fairing`).
    pub data: PathBuf,
    /// Runtime directories of pods (`/run/fairing`).
    pub run: PathBuf,
    /// The administrator's configuration (`/etc/fairing`).
    pub local_config: PathBuf,
    /// The vendor's configuration (`/usr/lib/fairing`).
    pub system_config: PathBuf,
    /// The isolators that are installed with the program (`/usr/local/lib/fairing/stage1`); they
    /// come before the vendor's.
    pub isolators: Option<PathBuf>,
}

impl Directories {
    /// Where the image store is.
    pub fn images(&self) -> PathBuf {
        self.data.join("images")
    }

    /// Where the unpacked layers are.
    pub fn layers(&self) -> PathBuf {
        self.data.join("images/layers")
    }

    /// The runtime directory of a pod.
    pub fn pod_run(&self, uuid: PodUuid) -> PathBuf {
        self.run.join("pods").join(uuid.to_string())
    }

    /// The directory that holds the local trust policy.
    pub fn local_trust(&self) -> PathBuf {
        self.local_config.join("trust.d")
    }
}
