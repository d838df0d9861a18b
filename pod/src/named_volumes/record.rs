//! What is on record of a volume that outlives pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::NamedVolumeName;
use super::ownership::Ownership;
use super::size_limit::SizeLimit;
use crate::record::Version;
use crate::timestamp::Timestamp;

/// The version of the record that this release writes, and the highest that it reads.
pub const VOLUME_VERSION: u64 = 1;

/// The record of a volume, `volume.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VolumeRecord {
    /// [`VOLUME_VERSION`].
    pub version: Version<VOLUME_VERSION>,
    /// Its name.
    pub name: NamedVolumeName,
    /// When it was made.
    pub created: Timestamp,
    /// What it is found by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    /// What was asked of its root directory.
    #[serde(skip_serializing_if = "Ownership::is_silent", default)]
    pub ownership: Ownership,
    /// The most that it holds, if that is limited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<SizeLimit>,
}
