//! Names of fields.

/// Where requests say how a container is confined.
pub(super) const SECURITY: &str = "config.linux.security_context";
