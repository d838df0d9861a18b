//! What an app leaves as its last words.

use serde::{Deserialize, Serialize};

use super::path::AppPath;
use super::presence::is_default;

/// Where an app writes why it has ended. What it is written to is a file of its own, empty at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TerminationMessage {
    /// The file.
    pub path: AppPath,
    /// What counts where it is empty.
    #[serde(skip_serializing_if = "is_default", default)]
    pub policy: TerminationMessagePolicy,
}

impl TerminationMessage {
    /// How much of it is kept, in bytes.
    pub const LENGTH_MAX: usize = 4096;
    /// How much of the log is kept in its place, in bytes.
    pub const LOG_MAX: usize = 2048;
    /// How many lines of the log at most.
    pub const LOG_LINES_MAX: usize = 80;
}

/// What counts where an app has written nothing to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TerminationMessagePolicy {
    /// That it has written nothing.
    #[default]
    File,
    /// The end of its log, if it has failed.
    FallbackToLogsOnError,
}
