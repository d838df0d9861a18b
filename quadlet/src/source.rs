//! A file that is to become a unit.

use std::path::PathBuf;

use crate::name::SourceName;

/// A file that is to become a unit, with what was put beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is called by.
    pub name: SourceName,
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes; nothing is read of Pod YAML.
    pub text: Vec<u8>,
    /// Its drop-ins, in the order in which they count.
    pub drop_ins: Vec<DropIn>,
}

/// A `*.conf` in a directory such as `web.container.d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub text: Vec<u8>,
}
