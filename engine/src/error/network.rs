//! Why what a pod is to have of networks makes no sense.

use cni_glue::ports::{InvalidPort, PortError, PortMapping};
use pod::activation::SocketName;

/// Why what a pod is to have of networks makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum NetworkSpecError {
    /// Ports of the host for a pod that joins no network.
    #[error("ports are for pods that join a network")]
    PortsWithoutNetwork,
    /// Limits for a pod that joins no network.
    #[error("limits of bandwidth are for pods that join a network")]
    BandwidthWithoutNetwork,
    /// A port that no image has.
    #[error(transparent)]
    Port(#[from] InvalidPort),
    /// Ports that can't be published together.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// A network is given an argument that it doesn't know.
    #[error("network {network}: {reason}")]
    Argument {
        /// The network.
        network: cni_glue::id::NetworkName,
        /// What is wrong.
        reason: String,
    },
    /// A port that is to be published is that of a socket which was handed over.
    #[error(
        "port {} is to be published, but belongs to the socket {:?} ({}) that was passed on: the pod can have only one of them",
        .published.host_side(), .socket.as_str(), .taken.host_side()
    )]
    HandedOver {
        /// The port to be published.
        published: PortMapping,
        /// The name of the socket.
        socket: SocketName,
        /// Its port.
        taken: PortMapping,
    },
}
