//! Manifests, indexes and configurations, of OCI and of Docker, as one typed form.

mod config;
mod document;
mod platform;
#[cfg(test)]
mod tests;

pub(crate) use config::parse_config;
pub(crate) use document::{Descriptor, Document, Index, Manifest};
pub use platform::Platform;
