//! Why the configuration can't be used.

use std::path::PathBuf;

use super::distrust::Distrust;

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file says something that is not understood.
    #[error("{path}, line {line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What is not understood.
        message: String,
    },
    /// A file could have been written by others than root.
    #[error("{path} is refused: {reason}")]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: Distrust,
    },
}
