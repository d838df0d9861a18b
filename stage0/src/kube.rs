//! Pods in YAML: reading files of them, and what the machine adds.

pub(crate) mod facts;
pub(crate) mod files;
