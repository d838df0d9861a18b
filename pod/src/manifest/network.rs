//! A pod's networks: the types of [`cni_glue`], which owns what they mean.

pub use cni_glue::config::Selection as Network;
