//! The table `[units]`: which files become units of systemd. The generator reads this table, and no other.

use serde::Deserialize;

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Units {
    quadlet_directories: Option<bool>,
}

impl Units {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            quadlet_directories: later.quadlet_directories.or(self.quadlet_directories),
        }
    }

    pub(super) fn quadlet_directories(&self) -> bool {
        self.quadlet_directories.unwrap_or(false)
    }
}
