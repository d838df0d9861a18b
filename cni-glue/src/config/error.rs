//! What can go wrong with configurations.

use std::path::PathBuf;

use super::list::InvalidList;
use crate::id::NetworkName;
use crate::record::FileError;

/// Why networks can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that can't be understood.
    #[error("network configuration {}: {source}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Why.
        source: InvalidList,
    },
    /// A file or directory that can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A built-in network is told what it doesn't know.
    #[error("network {network}: {reason}")]
    Argument {
        /// The network.
        network: NetworkName,
        /// What is wrong.
        reason: String,
    },
    /// Networks that are not configured.
    #[error("no such network: {}; there are: {}{}", join(missing), join(known), broken.as_ref().map(|b| format!(" ({b})")).unwrap_or_default())]
    Unknown {
        /// Those asked for.
        missing: Vec<NetworkName>,
        /// Those that there are.
        known: Vec<NetworkName>,
        /// A file that could not be understood, and why.
        broken: Option<Box<ConfigError>>,
    },
}

fn join(names: &[NetworkName]) -> String {
    let names: Vec<_> = names.iter().map(NetworkName::as_str).collect();
    names.join(", ")
}
