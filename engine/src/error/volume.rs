//! Why something can't be done with a volume that outlives pods.

use pod::PodError;
use pod::named_volumes::NamedVolumeName;

/// Why something can't be done with a volume that outlives pods.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// There is none of that name.
    #[error("there is no volume called {0}")]
    Unknown(NamedVolumeName),
    /// There is one of that name.
    #[error("there is a volume called {0} already")]
    Exists(NamedVolumeName),
    /// Pods have it, or will.
    #[error("volume {name} is in use by {}", pods.join(", "))]
    InUse {
        /// Its name.
        name: NamedVolumeName,
        /// Names or UUIDs of the pods, each with its state.
        pods: Vec<String>,
    },
    /// Another command has its hands on it.
    #[error("volume {0} is being imported or exported by another command")]
    Held(NamedVolumeName),
    /// It is not to be filled: it has been mounted, or has files.
    #[error("volume {0} is not new: a pod has mounted it, or it has files already")]
    NotNew(NamedVolumeName),
    /// Its files, or its record.
    #[error(transparent)]
    Files(PodError),
}
