//! Whether an app that has ended is started again.

use serde::{Deserialize, Serialize};

use super::presence::is_default;

/// When an app is started again. The defaults are those of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Restart {
    /// After which ends.
    #[serde(skip_serializing_if = "is_default")]
    pub policy: RestartPolicy,
    /// Most times; as often as it takes if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// How long the second start waits, in milliseconds. The first comes at once; each later one waits twice as long.
    pub back_off_ms: u64,
    /// How long any waits at most, in milliseconds.
    pub max_back_off_ms: u64,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::default(),
            max_retries: None,
            back_off_ms: 10_000,
            max_back_off_ms: 300_000,
        }
    }
}

/// After which ends an app is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// None.
    #[default]
    Never,
    /// Those with another exit code than 0.
    OnFailure,
    /// All.
    Always,
}
