//! Why there is no connection to a port of a pod.

use std::io;

/// Why there is no connection to a port of a pod.
#[derive(Debug, thiserror::Error)]
pub enum PortForwardError {
    /// Its network namespace can't be joined.
    #[error("cannot join the pod's network: {0}")]
    Join(io::Error),
    /// No address takes the connection.
    #[error("nobody listens at port {port} of the pod: {refused}")]
    NobodyListens {
        /// The port.
        port: u16,
        /// The addresses, and what each says.
        refused: String,
    },
}
