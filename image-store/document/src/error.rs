//! What can be wrong with a document.

use image_layer::ContentError;
use image_name::NameError;

/// A document that can't be used. `Display` is one line that names it and the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A digest in it that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It goes over a limit.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// It is not JSON or has not the members it must have.
    #[error("{what} is not valid JSON: {reason}")]
    NotJson {
        /// The document.
        what: String,
        /// What the parser says.
        reason: String,
    },
    /// It is JSON but breaks a rule of the image specification.
    #[error("{what}: {reason}")]
    BadManifest {
        /// The document.
        what: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// An index that has nothing for the wanted platform.
    #[error(
        "{what} has no image for platform {platform} (available: {})",
        list(available)
    )]
    NoPlatform {
        /// The index.
        what: String,
        /// The wanted platform.
        platform: String,
        /// The platforms that it has.
        available: Vec<String>,
    },
}

fn list(available: &[String]) -> String {
    if available.is_empty() {
        "none".to_owned()
    } else {
        available.join(", ")
    }
}

impl DocumentError {
    /// Whether it can be the answer of a place that serves something else than what it is asked for.
    #[must_use]
    pub fn is_odd_answer(&self) -> bool {
        match self {
            Self::NotJson { .. } | Self::BadManifest { .. } => true,
            Self::Content(error) => error.is_odd_answer(),
            Self::Name(_) | Self::NoPlatform { .. } => false,
        }
    }
}
