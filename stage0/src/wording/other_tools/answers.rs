//! What is said of both flags and commands, or of flags of several commands.

pub(super) const HEALTH: &str = "health checks are not there yet";
pub(super) const USERS: &str = "user namespaces are not there yet";
pub(super) const CERTIFICATES: &str = "certificates are those in certs.d/REGISTRY of the directory that `--local-config DIR` names, /etc/fairing by default";
pub(super) const RETRIES: &str = "it is not needed: what may pass is tried again for two minutes";
