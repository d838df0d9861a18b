//! Which image an app or an isolator is from, and who vouched for it.

use std::path::PathBuf;

use image_name::{Digest, Prefix, Reference};
use serde::{Deserialize, Deserializer, Serialize};

use super::virtual_machine::ImageFilesystem;

/// Which image an app runs, and why it was allowed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageRecord {
    /// The reference by which it was asked for, in canonical form.
    pub reference: Reference,
    /// Digest of the platform's manifest.
    pub manifest: Digest,
    /// Diff IDs of its layers, base first.
    pub layers: Vec<Digest>,
    /// What was verified when the pod was prepared.
    pub verification: VerificationRecord,
    /// Its files as a filesystem, where the isolator mounts them in another kernel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filesystem: Option<ImageFilesystem>,
}

/// A record of what covered an image then: nothing is judged by it, and any text is a scope.
pub(super) fn scope<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Prefix>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.as_deref().map(Prefix::scope))
}

/// Who vouched for an image, and which rule took their word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VerificationRecord {
    /// The kind of the rule that decided: `signed-by`, `digest`, `accept-unsigned`, or `waived`.
    pub policy: String,
    /// The rule's prefix, or its scope if a containers-policy.json(5) has the rule.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "scope"
    )]
    pub rule_prefix: Option<Prefix>,
    /// The file that holds the rule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule_file: Option<PathBuf>,
    /// Fingerprints of the keys whose signatures were found good: digests of the keys.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub keys: Vec<Digest>,
    /// The digest that they signed, or that the rule lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_digest: Option<Digest>,
    /// What was checked of the unpacked files: `seal` (also if nothing is said), `full` or `off`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub integrity: Option<String>,
}
