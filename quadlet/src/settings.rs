//! What all units have in common.

use std::path::PathBuf;

/// What all units have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The program `fairing`.
    pub program: PathBuf,
    /// Where images and pods are (`/var/lib/fairing`), which must be mounted before any of them starts.
    pub data: PathBuf,
}
