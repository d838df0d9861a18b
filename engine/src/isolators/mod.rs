//! The isolators (stage1) that run pods: where they are, and whether they can be trusted.

pub mod find;
mod owner;
