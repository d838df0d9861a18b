//! What can go wrong with ports.

use std::net::IpAddr;

use super::mapping::MOST_PORTS;
use crate::id::ContainerId;
use crate::record::FileError;

/// Why a port can't be had.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Two of the pod's own mappings meet.
    #[error("port {0} is asked for twice")]
    Twice(String),
    /// Another pod has it.
    #[error("port {port} belongs to pod {holder}")]
    Taken {
        /// The port.
        port: String,
        /// The other pod.
        holder: ContainerId,
    },
    /// A program listens there.
    #[error("port {port} is in use by {program}")]
    Listening {
        /// The port.
        port: String,
        /// Name and process ID, as far as they can be told.
        program: String,
    },
    /// The address is none of the host's.
    #[error("port {port}: {address} is not an address of this host")]
    NotLocal {
        /// The port.
        port: String,
        /// The address asked for.
        address: IpAddr,
    },
    /// More than can be kept.
    #[error("{0} ports are asked for; at most {MOST_PORTS} can be forwarded to a pod")]
    TooMany(usize),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A system call.
    #[error("cannot look at port {port}: {source}")]
    Look {
        /// The port.
        port: String,
        /// Why.
        source: rustix::io::Errno,
    },
}
