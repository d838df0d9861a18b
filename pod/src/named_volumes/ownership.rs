//! Whose the root directory of a volume is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::PodError;

/// Whose the root directory of a volume is, and what others may do there, as far as that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ownership {
    /// Its user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<u32>,
    /// Its group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gid: Option<u32>,
    /// Its permission bits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<u32>,
}

impl Ownership {
    /// Whether nothing is said.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// Gives it to a directory. The caller's file mode mask takes nothing away.
    ///
    /// # Errors
    /// [`PodError::Io`] if the filesystem says so.
    pub fn give(&self, directory: &Path) -> Result<(), PodError> {
        if self.uid.is_some() || self.gid.is_some() {
            chown(directory, self.uid, self.gid)
                .map_err(PodError::io("change the owner of", directory))?;
        }
        // Last, since a change of the owner takes bits away.
        match self.mode {
            Some(mode) => fs::set_permissions(directory, Permissions::from_mode(mode))
                .map_err(PodError::io("change the mode of", directory)),
            None => Ok(()),
        }
    }
}
