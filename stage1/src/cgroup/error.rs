//! Why something could not be done with a cgroup.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pod::PodError;
use systemd::bus::ScopeError;

use crate::failure::StartFailure;

/// What could not be done with a cgroup, on which, and why.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// A call of the system failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot …".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The list of the pod's cgroups could not be written down.
    #[error(transparent)]
    Record(#[from] PodError),
    /// Somebody has removed it.
    #[error("the cgroup {} is gone: somebody has removed it, and nothing in it is limited any more", .0.display())]
    Gone(PathBuf),
    /// There is nothing that could limit.
    #[error("the host has no cgroups mounted, so nothing can be limited")]
    NotMounted,
    /// Cgroups of version 1 can't be handed to who is not trusted.
    #[error(
        "an app that manages cgroups, as systemd does, needs those of version 2, and the host has none or those of version 1"
    )]
    NotUnified,
    /// Cgroups of version 2 have no such setting.
    #[error("cgroups of version 2 have no swappiness of their own: vm.swappiness is the host's")]
    NoSwappiness,
    /// Cgroups of version 1 are told in other words.
    #[error("cgroups of version 1 have no file {0:?}: it is one of version 2")]
    NoUnified(String),
    /// A file of a cgroup that limits nothing, or is given what no file takes.
    #[error("{0:?} is no limit of a cgroup of version 2, or not with that value")]
    NotALimit(String),
    /// On version 1, a running app stays in the hierarchies that it was started in.
    #[error(
        "{what} was started without limits of `{controller}`, and can't get any while it runs: cgroups of \
         version 1 have a hierarchy of their own for them"
    )]
    NotJoined {
        /// The app, or the pod.
        what: String,
        /// The controller.
        controller: &'static str,
    },
    /// The kernel has cgroups, but not this kind of limit.
    #[error("the host has no cgroup controller `{0}`")]
    NoController(&'static str),
    /// A disk has no scheduler that knows weights.
    #[error("a weight for a disk needs the scheduler bfq there (/sys/block/DISK/queue/scheduler): cannot write to {}", .0.display())]
    NoWeights(PathBuf),
    /// The limits of a cgroup could not be set.
    #[error("cannot limit the cgroup {}: {reason}", path.display())]
    Refused {
        /// The cgroup.
        path: PathBuf,
        /// What libcgroups says.
        reason: String,
    },
    /// A limit below what is used: the kernel would kill rather than refuse.
    #[error("a memory limit of {limit} bytes is below the {used} bytes that are in use")]
    LimitBelowUse {
        /// The limit, in bytes.
        limit: u64,
        /// Memory in use, in bytes.
        used: u64,
    },
    /// A change failed half-way, and was taken back.
    #[error("{0}; no limit was changed")]
    TakenBack(Box<Self>),
    /// A change failed half-way, and so did taking it back.
    #[error(
        "{reason}; some limits were changed all the same, and {} could not be set back", path.display()
    )]
    HalfChanged {
        /// Why the change failed.
        reason: Box<Self>,
        /// The first file that does not say what it said.
        path: PathBuf,
    },
    /// systemd does not make a scope, whose cgroups would be the pod's.
    #[error("the pod has no place in the slice {slice}: {source}")]
    NoScope {
        /// The slice.
        slice: String,
        /// Why.
        source: ScopeError,
    },
    /// The app has one already.
    #[error("the cgroup {} is there already", .0.display())]
    Exists(PathBuf),
    /// What a process aside has told.
    #[error("{0}")]
    Aside(String),
    /// The kernel did not free enough memory in time.
    #[error("the app's limits were not set within {} ms: it goes on using memory", .0.as_millis())]
    TookTooLong(Duration),
    /// Some processes did not stop in time. They run again.
    #[error("not every process in the cgroup {} could be frozen", .0.display())]
    NotFrozen(PathBuf),
}

impl CgroupError {
    /// For `map_err`: what was tried on which path.
    pub(super) fn io<E: Into<io::Error>>(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::Io {
            what,
            path: path.to_path_buf(),
            source: error.into(),
        }
    }
}

impl From<CgroupError> for StartFailure {
    fn from(error: CgroupError) -> Self {
        match error {
            CgroupError::Record(error) => error.into(),
            other => Self::other(other.to_string()),
        }
    }
}
