//! Namespaces of the host that a pod can be in, beside that of the network.

use serde::{Deserialize, Serialize};

/// A namespace of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostNamespace {
    /// The tree of cgroups: apps see where in it they are.
    Cgroup,
    /// Shared memory, semaphores and message queues.
    Ipc,
    /// Process IDs.
    Pid,
    /// The host name.
    Uts,
}

impl HostNamespace {
    /// Its name, as users write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroupns",
            Self::Ipc => "ipc",
            Self::Pid => "pid",
            Self::Uts => "uts",
        }
    }
}
