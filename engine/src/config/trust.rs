//! The table `[trust]`: where the rules of trust are. What it can say is in README.

use std::path::PathBuf;

use serde::Deserialize;

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Trust {
    /// A containers-policy.json(5) that is read in place of the rules of `trust.d`. An empty text in a later
    /// file undoes it.
    pub(super) containers_policy: Option<PathBuf>,
}

impl Trust {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            containers_policy: later.containers_policy.or(self.containers_policy),
        }
    }
}
