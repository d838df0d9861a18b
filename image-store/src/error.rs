//! What can go wrong in the store, one variant for each thing a caller may want to tell apart.

use std::io;
use std::path::{Path, PathBuf};

use image_layer::ContentError;
use image_name::{Digest, NameError};

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
    /// A document that is not JSON or has not the members it must have.
    #[error("{what} is not valid JSON: {reason}")]
    NotJson {
        /// The document.
        what: String,
        /// What the parser says.
        reason: String,
    },
    /// A document that is JSON but breaks a rule of the image specification.
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
    /// An answer of a registry that is no success.
    #[error("registry {registry}: {action}: status {status}{}", colon(message))]
    Registry {
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
        error: Box<StoreError>,
        /// What each mirror said.
        mirrors: Vec<StoreError>,
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
    /// An archive that is packed in a way that can't be read.
    #[error("{origin}: it is compressed with {packing}, which is not supported")]
    UnknownPacking {
        /// The file.
        origin: String,
        /// The program that packs so.
        packing: &'static str,
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

impl std::fmt::Display for OwnCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("; there are no credentials for it"),
            Self::From(place) => write!(f, "; the credentials in {place} don't allow it"),
            Self::New => f.write_str("; nothing was stored"),
            Self::Unknown => Ok(()),
        }
    }
}

fn each(errors: &[StoreError]) -> String {
    let errors: Vec<String> = errors.iter().map(StoreError::to_string).collect();
    errors.join("; ")
}

fn list(available: &[String]) -> String {
    if available.is_empty() {
        "none".to_owned()
    } else {
        available.join(", ")
    }
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

impl From<ContentError> for StoreError {
    fn from(error: ContentError) -> Self {
        match error {
            // An error of this type on its way through a layer.
            ContentError::Source(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => Self::Content(ContentError::Source(source)),
            },
            error => Self::Content(error),
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

impl StoreError {
    /// Whether it is an answer of a place that was reached, and says nothing of use: a refusal, a failure of
    /// its own, or something else than what was asked for.
    #[must_use]
    pub fn is_odd_answer(&self) -> bool {
        match self {
            Self::Registry { .. }
            | Self::Unauthorized { .. }
            | Self::RateLimited { .. }
            | Self::NotJson { .. }
            | Self::BadManifest { .. } => true,
            Self::Content(
                ContentError::DigestMismatch { .. }
                | ContentError::SizeMismatch { .. }
                | ContentError::Truncated { .. }
                | ContentError::LimitExceeded { .. },
            ) => true,
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
