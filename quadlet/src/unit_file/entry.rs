//! An assignment, and where it stands.

use std::path::Path;
use std::sync::Arc;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Arc<Path>,
    /// The line, from 1 on.
    pub line: u32,
}

/// The assignment that something comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Where it stands.
    pub place: Place,
    /// Its key.
    pub key: String,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The section, without brackets.
    pub section: String,
    /// What stands before the `=`.
    pub key: String,
    /// What stands behind it, of continued lines as one.
    pub value: String,
    /// Where it stands.
    pub place: Place,
}

impl Entry {
    /// What comes from it.
    pub fn origin(&self) -> Origin {
        Origin {
            place: self.place.clone(),
            key: self.key.clone(),
        }
    }
}
