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
