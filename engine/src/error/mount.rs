//! Why an app can't have a mount.

use std::path::PathBuf;

use pod::manifest::{AppPath, HostKind, VolumeName};

/// Why an app can't have a mount.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// Two mounts, one place.
    #[error("two mounts on {0}")]
    SamePlace(AppPath),
    /// Two volumes of one name.
    #[error("the pod has two volumes called {0}")]
    SameVolume(VolumeName),
    /// A volume that nobody has described.
    #[error("the pod has no volume called {name}, which was to be mounted on {place}")]
    NoVolume {
        /// Its name.
        name: VolumeName,
        /// Where it was to go.
        place: AppPath,
    },
    /// What was to be mounted is not there.
    #[error("cannot mount {path}: {source}", path = .path.display())]
    NoSource {
        /// Its path on the host.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Something else is there.
    #[error("{path} is not {kind}", path = .path.display(), kind = .kind.words())]
    OtherKind {
        /// The path on the host.
        path: PathBuf,
        /// What was to be there.
        kind: HostKind,
    },
    /// Nothing is there.
    #[error("{path} is not there: {kind} is needed", path = .path.display(), kind = .kind.words())]
    NotThere {
        /// The path on the host.
        path: PathBuf,
        /// What was to be there.
        kind: HostKind,
    },
}
