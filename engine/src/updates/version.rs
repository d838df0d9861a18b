//! What names can stand for.

use image_name::Digest;
use serde::{Deserialize, Serialize};

/// What a name can stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// An index or a manifest.
    pub digest: Digest,
    /// The manifest of this machine's platform.
    pub manifest: Digest,
}
