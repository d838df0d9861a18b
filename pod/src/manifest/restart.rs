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

impl Restart {
    /// The same where no start waits longer than this, in milliseconds.
    #[must_use]
    pub fn within(self, max_back_off_ms: u64) -> Self {
        Self {
            back_off_ms: self.back_off_ms.min(max_back_off_ms),
            max_back_off_ms: self.max_back_off_ms.min(max_back_off_ms),
            ..self
        }
    }
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

/// What is done after an end with some exit codes, whatever the policy says. Of several rules the first that fits counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RestartRule {
    /// What is done.
    pub action: RestartAction,
    /// After which exit codes.
    pub exit_codes: ExitCodes,
}

impl RestartRule {
    /// Most rules of an app.
    pub const RULES_MAX: usize = 20;
    /// Most exit codes of a rule.
    pub const VALUES_MAX: usize = 255;
}

/// What is done after an end that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartAction {
    /// The app is started again.
    Restart,
    /// All apps of the pod are killed, and started again in their order.
    RestartAllApps,
}

/// A set of exit codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExitCodes {
    /// How the values are meant.
    pub operator: ExitCodeOperator,
    /// The values.
    pub values: Vec<i32>,
}

/// How the values of a set of exit codes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCodeOperator {
    /// The set is these.
    In,
    /// The set is all but these.
    NotIn,
}

impl ExitCodes {
    /// Whether a code is one of the set.
    pub fn contains(&self, code: i32) -> bool {
        self.values.contains(&code) == (self.operator == ExitCodeOperator::In)
    }
}
