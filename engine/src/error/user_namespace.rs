//! Why a pod can't have a user namespace.

/// Why a pod can't have a user namespace.
#[derive(Debug, thiserror::Error)]
pub enum UserNamespaceError {
    /// The kernel makes none.
    #[error("this kernel makes no user namespaces: {0}")]
    Unavailable(&'static str),
    /// A user has no IDs for pods.
    #[error(
        "user {0} has no 65536 IDs for pods in /etc/subuid and the same ones in /etc/subgid, above 65535 and below 2147418112"
    )]
    NoSubordinateIds(String),
}
