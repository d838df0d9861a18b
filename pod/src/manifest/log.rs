//! Where an app's output is kept, if not in its own directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An app's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// The file, on the host. Who names it rotates it too, and asks for it to be opened anew.
    pub path: PathBuf,
}
