//! The pod's user namespace.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// Which users and groups of the host those of the pod are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UserNamespace {
    /// Of users.
    pub uid_mappings: Vec<IdMapping>,
    /// Of groups.
    pub gid_mappings: Vec<IdMapping>,
}

/// A range of IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdMapping {
    /// The first one in the pod.
    pub container_id: u32,
    /// The first one on the host.
    pub host_id: u32,
    /// How many.
    pub size: NonZeroU32,
}
