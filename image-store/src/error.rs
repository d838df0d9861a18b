//! What can go wrong in the store, one variant for each thing a caller may want to tell apart.

use std::io;
use std::path::{Path, PathBuf};

use image_document::DocumentError;
use image_layer::ContentError;
use image_name::{Digest, NameError};
use image_registry::RegistryError;

/// A failure of the image store. `Display` is one line that names the object and the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No image of that name is in the store, or the registry has none.
    #[error("image {reference} is not known {place}")]
    UnknownImage {
        /// The name as canonically written.
        reference: String,
        /// Where it was looked for, such as "in the store" or "at registry.example.com".
        place: String,
    },
    /// A digest prefix that fits several images.
    #[error("{name} is ambiguous: it matches {}", matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The images it fits.
        matches: Vec<String>,
    },
    /// An archive or a layout of several images, none of which was named.
    #[error("{origin} holds several images{}", listed(names))]
    SeveralImages {
        /// The file or directory, as a source where it was given as one.
        origin: String,
        /// The first names of them; those that have none are left out.
        names: Vec<String>,
    },
    /// Text that is no name of an image, or no digest.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A reference that can't be used.
    #[error("invalid image reference {reference:?}: {reason}")]
    InvalidReference {
        /// The text.
        reference: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// Text that is no image source, or a source that is not what it claims.
    #[error("invalid image source {origin:?}: {reason}")]
    InvalidSource {
        /// The source as the user gave it.
        origin: String,
        /// Why it can't be used.
        reason: String,
    },
    /// A file that no layer can hold.
    #[error("{path} can't be in a layer, which would say by its name that another file is removed")]
    WhiteoutName {
        /// Where it is.
        path: String,
    },
    /// An archive or a layout that is no whole one: it can't be read, or lacks what it names.
    #[error("{origin}: {reason}")]
    BrokenSource {
        /// The file or directory.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory or an archive of something else.
    #[error("{} is {}", path.display(), match is_root {
        true => "a root filesystem, not an image",
        false => "not an image: neither an OCI image layout nor what `docker save` writes nor an appc image",
    })]
    NoImage {
        /// The directory or file.
        path: PathBuf,
        /// Whether it has what root filesystems have at their top.
        is_root: bool,
    },
    /// A place that can't be written to.
    #[error("destination {} {reason}", path.display())]
    Destination {
        /// The directory or file.
        path: PathBuf,
        /// Why not, as the end of a sentence.
        reason: &'static str,
    },
    /// An image that can't go by its own name.
    #[error("invalid image source {origin:?}: its name {name:?} can't be that of an OCI image")]
    UnfitName {
        /// The source as the user gave it.
        origin: String,
        /// The name in it.
        name: String,
    },
    /// What is wrong with contents, a layer or a file.
    #[error(transparent)]
    Content(ContentError),
    /// What is wrong with a document.
    #[error(transparent)]
    Document(DocumentError),
    /// What a registry or its configuration says.
    #[error(transparent)]
    Registry(RegistryError),
    /// Somebody asked for the fetch to end.
    #[error("the fetch was interrupted")]
    Interrupted,
    /// A blob or layer that the store should have and has not.
    #[error("{what} {digest} is missing from the store")]
    Missing {
        /// What kind of object.
        what: String,
        /// Which.
        digest: Digest,
    },
    /// A file of the store that can't be understood.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An archive that is packed in a way that can't be read.
    #[error("{origin}: it is compressed with {packing}, which is not supported")]
    UnknownPacking {
        /// The file.
        origin: String,
        /// The program that packs so.
        packing: &'static str,
    },
}

impl From<ContentError> for StoreError {
    fn from(error: ContentError) -> Self {
        match error {
            // An error of this type, or of a registry, on its way through a layer.
            ContentError::Source(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => match source.downcast::<RegistryError>() {
                    Ok(of_registry) => (*of_registry).into(),
                    Err(source) => Self::Content(ContentError::Source(source)),
                },
            },
            error => Self::Content(error),
        }
    }
}

impl From<DocumentError> for StoreError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Content(error) => error.into(),
            error => Self::Document(error),
        }
    }
}

impl From<RegistryError> for StoreError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::UnknownImage { reference, place } => {
                Self::UnknownImage { reference, place }
            }
            RegistryError::InvalidReference { reference, reason } => {
                Self::InvalidReference { reference, reason }
            }
            RegistryError::Name(error) => Self::Name(error),
            RegistryError::Content(error) => error.into(),
            RegistryError::Document(error) => error.into(),
            error => Self::Registry(error),
        }
    }
}

impl From<StoreError> for ContentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Content(error) => error,
            error => Self::Source(Box::new(error)),
        }
    }
}

/// Names, if there are any.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(": {}", names.join(", ")),
    }
}

impl StoreError {
    /// Whether it is an answer of a place that was reached, and says nothing of use: a refusal, a failure of
    /// its own, or something else than what was asked for.
    #[must_use]
    pub fn is_odd_answer(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_odd_answer(),
            Self::Document(error) => error.is_odd_answer(),
            Self::Content(error) => error.is_odd_answer(),
            _ => false,
        }
    }

    /// As [`ContentError::io`].
    pub(crate) fn io(action: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Content(ContentError::io(action, path, error))
    }

    /// As [`ContentError::from_read`]; an error that was made by [`StoreError::into_io`] comes out
    /// as it went in.
    pub(crate) fn from_read(what: &str, error: io::Error) -> Self {
        ContentError::from_read(what, error).into()
    }

    /// As [`ContentError::from_source`].
    pub(crate) fn from_source(what: &str, error: io::Error) -> Self {
        ContentError::from_source(what, error).into()
    }

    /// Carries this error through an interface that knows only [`io::Error`].
    pub(crate) fn into_io(self) -> io::Error {
        ContentError::from(self).into_io()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> RegistryError {
        RegistryError::Network {
            registry: "a.example".to_owned(),
            action: "reading".to_owned(),
            reason: "it broke off".to_owned(),
            lack: None,
        }
    }

    #[test]
    fn what_a_registry_says_in_the_middle_of_a_layer_is_still_known_as_that() {
        let amid = ContentError::from(broken()).into_io();
        let error = StoreError::from_source("layer", amid);
        assert!(
            matches!(error, StoreError::Registry(RegistryError::Network { .. })),
            "{error}"
        );
        assert_eq!(error.to_string(), broken().to_string());
    }

    #[test]
    fn what_the_store_says_in_the_middle_of_an_upload_is_still_known_as_that() {
        let amid = RegistryError::from(ContentError::from(StoreError::Interrupted));
        assert!(matches!(StoreError::from(amid), StoreError::Interrupted));
    }

    #[test]
    fn an_image_that_a_registry_has_not_is_unknown_as_one_that_the_store_has_not() {
        let error = RegistryError::UnknownImage {
            reference: "a.example/b:1".to_owned(),
            place: "at registry a.example".to_owned(),
        };
        let shown = error.to_string();
        let error = StoreError::from(error);
        assert!(matches!(error, StoreError::UnknownImage { .. }));
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn an_answer_is_odd_only_if_each_place_was_reached() {
        let refusal = || RegistryError::RateLimited {
            registry: "a.example".to_owned(),
            action: "reading".to_owned(),
            message: String::new(),
            retry_after: None,
        };
        let all = |error, mirrors| {
            let error = Box::new(error);
            StoreError::from(RegistryError::NoMirror { error, mirrors }).is_odd_answer()
        };
        assert!(all(refusal(), vec![refusal()]));
        assert!(!all(refusal(), vec![broken()]));
        assert!(!all(broken(), vec![refusal()]));
    }
}
