//! From a pod's manifest to YAML that makes the same pod again.

mod app;
mod emit;
mod pod;
mod probes;
mod resources;
mod restart;
mod volumes;

pub use self::pod::{Generated, generate};
