//! The document as it is written.

use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
#[serde(expecting = "a profile, which is an object")]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) default_action: String,
    #[serde(default)]
    pub(super) default_errno_ret: Option<u16>,
    #[serde(default)]
    pub(super) default_errno: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) architectures: Vec<String>,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) arch_map: Vec<ArchMap>,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) flags: Vec<String>,
    #[serde(default)]
    pub(super) listener_path: String,
    #[serde(default)]
    pub(super) listener_metadata: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ArchMap {
    pub(super) architecture: String,
    #[serde(default, rename = "subArchitectures", deserialize_with = "or_null")]
    _sub: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) names: Vec<String>,
    pub(super) action: String,
    #[serde(default)]
    pub(super) errno_ret: Option<u16>,
    #[serde(default)]
    pub(super) errno: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) args: Vec<Argument>,
    #[serde(default, rename = "comment")]
    _comment: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) includes: Condition,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) excludes: Condition,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Argument {
    pub(super) index: u8,
    pub(super) value: u64,
    #[serde(default)]
    pub(super) value_two: u64,
    pub(super) op: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(default, deserialize_with = "or_null")]
    pub(super) caps: Vec<String>,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) arches: Vec<String>,
    #[serde(default)]
    pub(super) min_kernel: String,
}

/// Go writes `null` where there is nothing.
fn or_null<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
