//! Keys that no longer count, whatever rule lists them.

use std::path::{Path, PathBuf};

use crate::fingerprint::Fingerprint;
use crate::timestamp::Timestamp;

/// A key that doesn't count any more: in every rule, for every image, for signatures of any age. What a
/// signature says of its own time is nothing: who has the key writes what they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// The key.
    pub fingerprint: Fingerprint,
    /// From when on, by this machine's clock; from ever, if nothing is said.
    pub since: Option<Timestamp>,
}

/// A revocation and the file it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRevocation {
    pub(crate) revocation: Revocation,
    pub(crate) file: PathBuf,
}

impl PlacedRevocation {
    /// The revocation.
    pub fn revocation(&self) -> &Revocation {
        &self.revocation
    }

    /// The file it comes from.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Revocation {
    /// The revocation as TOML text for a policy file.
    pub fn to_toml(&self) -> String {
        // The time first: a file torn before the key revokes nothing later than meant.
        let since = self.since.map(|since| format!("since = {since}\n"));
        format!(
            "[[revoked]]\n{}fingerprint = \"{}\"\n",
            since.unwrap_or_default(),
            self.fingerprint
        )
    }
}
