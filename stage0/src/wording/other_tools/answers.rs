//! What is said of both flags and commands, or of flags of several commands.

pub(super) const HEALTH: &str =
    "`fairing status POD` shows what a check of an app's health has said last";
pub(super) const SUBORDINATE: &str = "the table [user-namespaces] of config.toml says whose subordinate IDs `--userns=auto` takes: `user = \"NAME\"`";
pub(super) const CERTIFICATES: &str = "certificates are those in certs.d/REGISTRY of the directory that `--local-config DIR` names, /etc/fairing by default";
pub(super) const RETRIES: &str = "it is not needed: what may pass is tried again for two minutes";
