//! Why a pod, an app or a command could not be started.

use pod::exit::FailureKind;

/// A failure on the way to the first instruction of an app, with what decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct StartFailure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What failed, on what, and why; one line.
    pub message: String,
}

impl StartFailure {
    /// A failure that is neither the image's nor the user's doing.
    pub fn other(message: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Other,
            message: message.into(),
        }
    }

    /// For `map_err`: what was tried, with the system's answer appended.
    pub fn os<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::other(format!("cannot {what}: {error}"))
    }
}

impl From<pod::PodError> for StartFailure {
    fn from(error: pod::PodError) -> Self {
        Self::other(error.to_string())
    }
}
