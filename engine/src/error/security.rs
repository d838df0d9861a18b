//! Why an app can't be confined as asked for.

use std::io;
use std::path::PathBuf;

use pod::AppName;
use pod::containers_seccomp::ProfileError;
use pod::manifest::{Capability, NotAPath};

/// Why an app can't be confined as asked for.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// All capabilities are asked for, and none.
    #[error("all capabilities are to be added, and all dropped")]
    AllAndNone,
    /// A capability is asked for, and not.
    #[error("{} is to be added, and dropped", .0.word())]
    AddedAndDropped(Capability),
    /// A capability that is not there to be given.
    #[error("{} can't be given to an app, since it isn't had here", .0.word())]
    NotHeld(Capability),
    /// What is had can't be seen.
    #[error("cannot read the capabilities: {0}")]
    Capabilities(io::Error),
    /// A system call filter makes no sense.
    #[error("the system call filter {path}: {source}")]
    Profile {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: ProfileError,
    },
    /// The kernel can't set one.
    #[error(
        "the AppArmor profile `{0}` can't be set: this kernel has no AppArmor, or doesn't use it"
    )]
    NoAppArmor(String),
    /// It is not there.
    #[error("the AppArmor profile `{0}` is not loaded")]
    UnknownProfile(String),
    /// Which there are can't be seen.
    #[error("cannot read which profiles of AppArmor are loaded: {0}")]
    Profiles(io::Error),
    /// Nobody in a user namespace sees the host's cgroups.
    #[error(
        "a pod with users of its own can't be in the host's cgroup namespace, which is that of the host's users"
    )]
    HostCgroups,
    /// All cgroups of the host would be its.
    #[error("app {0} can't manage cgroups in the host's cgroup namespace")]
    ManagesHostCgroups(AppName),
    /// Nobody in a user namespace may mount what shows the host's processes.
    #[error(
        "a pod with users of its own can't be among the processes of the host, which are those of the host's users"
    )]
    HostPids,
    /// Nobody in a user namespace may use the host's IPC.
    #[error(
        "a pod with users of its own can't share the host's IPC, which is that of the host's users"
    )]
    HostIpc,
    /// A path that is none.
    #[error(transparent)]
    Path(#[from] NotAPath),
    /// A kernel parameter that pods have none of their own of.
    #[error("the kernel parameter `{name}` can't be set for a pod: {why}")]
    Sysctl {
        /// The parameter.
        name: String,
        /// Why.
        why: &'static str,
    },
}
