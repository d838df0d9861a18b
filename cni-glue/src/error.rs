//! What can go wrong with a pod's network.

use std::net::IpAddr;

use crate::config::ConfigError;
use crate::id::ContainerId;
use crate::netlink::socket::Refused;
use crate::ports::PortError;
use crate::record::FileError;
use crate::runtime::PluginError;
use crate::subnet::IpNet;

/// A failure on a network namespace, a link, or what belongs to one.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The kernel refused.
    #[error("cannot {operation}: {source}")]
    Kernel {
        /// What was tried, as a verb phrase.
        operation: String,
        /// Its answer.
        source: Refused,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration of a network.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A plugin.
    #[error(transparent)]
    Plugin(#[from] Box<PluginError>),
    /// A port of the host.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Ports are asked for, and no network of the pod can forward them.
    #[error("ports can't be forwarded: {0}")]
    NoPorts(&'static str),
    /// A setting of a built-in network, or an argument.
    #[error("network {network}: {reason}")]
    Setting {
        /// Which network.
        network: String,
        /// What is wrong, and with what.
        reason: String,
    },
    /// No address is left.
    #[error(
        "network {network} has no free address left in {subnet}; `fairing gc` gives back those of pods that are gone"
    )]
    Exhausted {
        /// Which network.
        network: String,
        /// Its addresses.
        subnet: IpNet,
    },
    /// The address that was asked for is another pod's.
    #[error("network {network}: address {address} is that of pod {holder}")]
    AddressTaken {
        /// Which network.
        network: String,
        /// The address.
        address: IpAddr,
        /// The other pod.
        holder: ContainerId,
    },
    /// A pod is not connected as it should be.
    #[error("network {network}: {reason}")]
    Disconnected {
        /// Which network.
        network: String,
        /// What is missing.
        reason: String,
    },
}

impl NetworkError {
    /// For `map_err`.
    pub(crate) fn at<E: Into<Refused>>(operation: impl Into<String>) -> impl FnOnce(E) -> Self {
        let operation = operation.into();
        move |source| Self::Kernel {
            operation,
            source: source.into(),
        }
    }
}
