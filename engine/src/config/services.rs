//! The table `[services]`: pods that a service manager looks after.

use serde::Deserialize;

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Services {
    machined: Option<bool>,
}

impl Services {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            machined: later.machined.or(self.machined),
        }
    }

    pub(super) fn machined(&self) -> bool {
        self.machined.unwrap_or(true)
    }
}
