//! Why a key doesn't count now.

use std::path::PathBuf;

use crate::one_line::path;
use crate::timestamp::Timestamp;

/// Why a key that a rule lists doesn't count now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is revoked, in this file.
    #[error("the key is revoked by {}", path(.file))]
    Revoked {
        /// The file.
        file: PathBuf,
    },
    /// Its time is over.
    #[error("the key expired on {not_after}")]
    Expired {
        /// Its last second.
        not_after: Timestamp,
    },
    /// Its time has not begun.
    #[error("the key is not valid before {not_before}")]
    NotYet {
        /// Its first second.
        not_before: Timestamp,
    },
}
