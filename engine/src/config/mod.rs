//! Where everything is, and what the configuration of fairing itself says.

mod apps;
pub mod directories;
pub mod files;
mod layers;
pub(crate) mod ownership;
pub mod size;
mod trust;
