//! The table `[cdi]`: where vendors describe devices.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the specification has them; the later counts more.
const USUAL: [&str; 2] = ["/etc/cdi", "/run/cdi"];

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Cdi {
    spec_dirs: Option<Vec<PathBuf>>,
}

impl Cdi {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            spec_dirs: later.spec_dirs.or(self.spec_dirs),
        }
    }

    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let usual = || USUAL.iter().map(PathBuf::from).collect();
        self.spec_dirs.clone().unwrap_or_else(usual)
    }
}
