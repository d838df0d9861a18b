//! What can go wrong with registries, one variant for each thing a caller may want to tell apart.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use image_document::DocumentError;
use image_layer::ContentError;
use image_name::NameError;

/// A failure with a registry. `Display` is one line that names the object and the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry has no image of that name.
    #[error("image {reference} is not known {place}")]
    UnknownImage {
        /// The name as canonically written.
        reference: String,
        /// Where it was looked for, such as "at registry registry.example.com".
        place: String,
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
    /// What is wrong with contents or with a file.
    #[error(transparent)]
    Content(ContentError),
    /// What is wrong with a document.
    #[error(transparent)]
    Document(DocumentError),
    /// An answer of a registry that is no success.
    #[error("registry {registry}: {action}: status {status}{}", colon(message))]
    Status {
        /// Host and port.
        registry: String,
        /// What was asked for.
        action: String,
        /// HTTP status.
        status: u16,
        /// What the registry says, may be empty.
        message: String,
    },
    /// The registry wants other credentials or none would do.
    #[error(
        "registry {registry}: {action}: not authorized{}{credentials}",
        colon(message)
    )]
    Unauthorized {
        /// Host and port.
        registry: String,
        /// What was asked for.
        action: String,
        /// What the registry says, may be empty.
        message: String,
        /// What there was to show to it.
        credentials: OwnCredentials,
    },
    /// The registry has answered often enough for now.
    #[error(
        "registry {registry}: {action}: the registry limits the rate of requests{}; try again {}",
        colon(message), later(*retry_after)
    )]
    RateLimited {
        /// Host and port.
        registry: String,
        /// What was asked for.
        action: String,
        /// What the registry says, may be empty.
        message: String,
        /// The pause that the registry asks for, in seconds.
        retry_after: Option<u64>,
    },
    /// The configuration says that nothing is fetched from there.
    #[error("image {reference} is not fetched: {} blocks {prefix}", file.display())]
    Blocked {
        /// The image.
        reference: String,
        /// The prefix of the rule.
        prefix: String,
        /// The file that has the rule.
        file: PathBuf,
    },
    /// Neither the mirrors of a registry nor the registry itself gave what was asked for.
    #[error("{error}; before, its mirrors: {}", each(mirrors))]
    NoMirror {
        /// What the registry itself said.
        error: Box<RegistryError>,
        /// What each mirror said.
        mirrors: Vec<RegistryError>,
    },
    /// A short name that several images may be meant by.
    #[error(
        "the short name {name} may be {}",
        candidates.join(" or ")
    )]
    AmbiguousShortName {
        /// The name.
        name: String,
        /// The images that it may be.
        candidates: Vec<String>,
    },
    /// A configuration file that can't be used.
    #[error("{}: {reason}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A credential helper that does not do what it should.
    #[error("credential helper {program}: {reason}")]
    CredentialHelper {
        /// The program.
        program: String,
        /// What went wrong.
        reason: String,
    },
    /// A proxy that the environment names and that can't be used.
    #[error("the proxy that the environment names can't be used: {reason}")]
    Proxy {
        /// Why not.
        reason: &'static str,
    },
    /// Plain HTTP with a host that is neither loopback nor configured.
    #[error(
        "registry {registry} speaks plain HTTP, which is refused except for loopback and hosts that are configured for it"
    )]
    PlainHttpRefused {
        /// Host and port.
        registry: String,
    },
    /// No answer of a registry at all, or one that broke off.
    #[error("registry {registry}: {action}: {reason}")]
    Network {
        /// Host and port.
        registry: String,
        /// What was asked for.
        action: String,
        /// What went wrong on the way.
        reason: String,
        /// What is missing here, where that is known.
        lack: Option<TlsLack>,
    },
    /// A file of secrets that others could change or read.
    #[error("{}: it is refused: {}", path.display(), match owner {
        Some(owner) => format!("it belongs to user {owner}"),
        None => "users other than its owner may read or write it".to_owned(),
    })]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Whose it is, if that is what is wrong.
        owner: Option<u32>,
    },
}

/// What a connection over TLS failed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsLack {
    /// The authority that certifies the registry is not known.
    Authority,
    /// The registry wants a certificate of this machine.
    ClientCertificate,
}

/// What a registry was shown that has refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OwnCredentials {
    /// There are none for it.
    None,
    /// Those that are kept in this place.
    From(String),
    /// Those of a login, which were to be kept.
    New,
    /// None are known of.
    Unknown,
}

impl fmt::Display for OwnCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("; there are no credentials for it"),
            Self::From(place) => write!(f, "; the credentials in {place} don't allow it"),
            Self::New => f.write_str("; nothing was stored"),
            Self::Unknown => Ok(()),
        }
    }
}

fn each(errors: &[RegistryError]) -> String {
    let errors: Vec<String> = errors.iter().map(RegistryError::to_string).collect();
    errors.join("; ")
}

fn colon(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

fn later(retry_after: Option<u64>) -> String {
    match retry_after {
        Some(seconds) => format!("in {seconds} s"),
        None => "later".to_owned(),
    }
}

impl From<ContentError> for RegistryError {
    fn from(error: ContentError) -> Self {
        match error {
            // An error of this type on its way through a reader.
            ContentError::Source(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => Self::Content(ContentError::Source(source)),
            },
            error => Self::Content(error),
        }
    }
}

impl From<DocumentError> for RegistryError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Content(error) => error.into(),
            error => Self::Document(error),
        }
    }
}

impl From<RegistryError> for ContentError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Content(error) => error,
            error => Self::Source(Box::new(error)),
        }
    }
}

impl RegistryError {
    /// Whether it is an answer of a place that was reached, and says nothing of use: a refusal, a failure of
    /// its own, or something else than what was asked for.
    #[must_use]
    pub fn is_odd_answer(&self) -> bool {
        match self {
            Self::Status { .. } | Self::Unauthorized { .. } | Self::RateLimited { .. } => true,
            Self::Document(error) => error.is_odd_answer(),
            Self::Content(error) => error.is_odd_answer(),
            Self::NoMirror { error, mirrors } => {
                error.is_odd_answer() && mirrors.iter().all(Self::is_odd_answer)
            }
            _ => false,
        }
    }

    /// As [`ContentError::io`].
    pub(crate) fn io(action: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Content(ContentError::io(action, path, error))
    }

    /// Carries this error through an interface that knows only [`io::Error`].
    pub(crate) fn into_io(self) -> io::Error {
        ContentError::from(self).into_io()
    }
}
