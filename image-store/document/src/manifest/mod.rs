//! Manifests, indexes and configurations, of OCI and of Docker, as one typed form.

mod config;
mod document;
mod healthcheck;
mod platform;
#[cfg(test)]
mod tests;

pub use config::{is_of_doubtful_platform, parse_config};
pub use document::{Descriptor, Document, Index, Manifest};
pub use healthcheck::{Healthcheck, healthcheck};
pub use platform::Platform;
