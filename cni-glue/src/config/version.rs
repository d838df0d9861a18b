//! Versions of the CNI specification.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpecVersion {
    /// As 0.3.1, which corrects a mistake of its text.
    #[serde(rename = "0.3.0")]
    V0_3_0,
    /// Lists of plugins.
    #[serde(rename = "0.3.1")]
    V0_3_1,
    /// CHECK, and the result of ADD given to DEL.
    #[serde(rename = "0.4.0")]
    V0_4_0,
    /// No family in addresses.
    #[serde(rename = "1.0.0")]
    V1_0_0,
    /// GC and STATUS.
    #[serde(rename = "1.1.0")]
    V1_1_0,
}

/// A version that isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {0:?} of CNI is not supported; 0.3.1, 0.4.0, 1.0.0 and 1.1.0 are")]
pub struct UnknownVersion(pub String);

impl SpecVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];
    /// The newest.
    pub const LATEST: Self = Self::V1_1_0;

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// Whether there is CHECK, and whether DEL is given what ADD said.
    pub fn has_check(self) -> bool {
        self >= Self::V0_4_0
    }

    /// Whether there are GC and STATUS.
    pub fn has_gc_and_status(self) -> bool {
        self >= Self::V1_1_0
    }
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SpecVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| UnknownVersion(text.into()))
    }
}
