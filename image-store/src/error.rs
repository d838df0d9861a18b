//! What can go wrong in the store, one variant for each thing a caller may want to tell apart.

use std::io;
use std::path::{Path, PathBuf};

use image_name::{Digest, NameError};

use crate::layer_limit::LayerLimit;

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
    /// A thread panicked, which is a bug: what it was to find out is not known.
    #[error("{work} failed unexpectedly: one of its threads panicked")]
    WorkerPanicked {
        /// What it was at.
        work: &'static str,
    },
    /// Text that is no image source, or a source that is not what it claims.
    #[error("invalid image source {origin:?}: {reason}")]
    InvalidSource {
        /// The source as the user gave it.
        origin: String,
        /// Why it can't be used.
        reason: String,
    },
    /// An image that can't go by its own name.
    #[error("invalid image source {origin:?}: its name {name:?} can't be that of an OCI image")]
    UnfitName {
        /// The source as the user gave it.
        origin: String,
        /// The name in it.
        name: String,
    },
    /// Bytes that don't have the digest by which they were asked for.
    #[error("{what}: digest mismatch: expected {expected}, found {found}")]
    DigestMismatch {
        /// The object.
        what: String,
        /// The digest it should have.
        expected: String,
        /// The digest it has.
        found: String,
    },
    /// Bytes of another count than the descriptor says.
    #[error("{what}: size mismatch: expected {expected} bytes, found {found}")]
    SizeMismatch {
        /// The object.
        what: String,
        /// Bytes announced.
        expected: u64,
        /// Bytes seen (at least, where reading stopped early).
        found: u64,
    },
    /// A stream that ends before its own end.
    #[error("{what} is truncated")]
    Truncated {
        /// The object.
        what: String,
    },
    /// A compressed stream that can't be inflated.
    #[error("{what}: corrupt compressed data: {reason}")]
    CorruptCompression {
        /// The object.
        what: String,
        /// What the decoder says.
        reason: String,
    },
    /// A layer archive that can't be parsed.
    #[error("{what}: corrupt layer archive: {reason}")]
    CorruptLayer {
        /// The object.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A layer entry that must not be unpacked.
    #[error("{what}: refused entry {entry:?}: {reason}")]
    UnsafeEntry {
        /// The layer.
        what: String,
        /// The name of the entry, lossily.
        entry: String,
        /// Which rule it breaks.
        reason: String,
    },
    /// An object that goes over a limit.
    #[error("{what} exceeds the limit of {limit}")]
    LimitExceeded {
        /// The object.
        what: String,
        /// The limit with its unit.
        limit: String,
    },
    /// A layer that goes over a limit which the configuration sets.
    #[error(
        "{what}: {} exceeds the limit of {value}; if the image can be trusted, raise {} in the table [layers] of config.toml",
        limit.subject(), limit.setting()
    )]
    LayerLimit {
        /// The layer, and the entry where one is to blame.
        what: String,
        /// Which limit.
        limit: LayerLimit,
        /// Its value in force.
        value: u64,
    },
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
    /// The file system of the store (or of an export) is full.
    #[error("no space left on the file system of {}", path.display())]
    NoSpace {
        /// The file or folder that was written.
        path: PathBuf,
    },
    /// A blob or layer that the store should have and has not.
    #[error("{what} {digest} is missing from the store; fetch the image again")]
    Missing {
        /// What kind of object.
        what: String,
        /// Which.
        digest: Digest,
    },
    /// A layer without a seal that fits its tree.
    #[error("layer {diff_id} has no matching seal: {reason}")]
    Unsealed {
        /// Which layer.
        diff_id: Digest,
        /// What is wrong with the seal.
        reason: String,
    },
    /// A layer that was changed since it was unpacked.
    #[error("layer {diff_id} was changed since it was unpacked: {change}{}", others(*more))]
    LayerChanged {
        /// Which layer.
        diff_id: Digest,
        /// Some paths, and how they differ.
        change: String,
        /// How many changes there are beside those.
        more: u64,
    },
    /// A file of the store that can't be understood.
    #[error("{}: {reason}; remove the image and fetch it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A system call on a file failed.
    #[error("{action} {}: {error}", path.display())]
    Io {
        /// What was tried, such as "cannot open".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
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
        "the short name {name} may be {}; write the one you mean in full, or give it an alias in registries.toml",
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
    },
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

fn others(more: u64) -> String {
    match more {
        0 => String::new(),
        1 => " (and one more change)".to_owned(),
        more => format!(" (and {more} more changes)"),
    }
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

impl StoreError {
    /// Wraps a failed system call; a full file system or an exceeded quota becomes
    /// [`StoreError::NoSpace`].
    pub(crate) fn io(action: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            return Self::NoSpace {
                path: path.to_owned(),
            };
        }
        Self::Io {
            action,
            path: path.to_owned(),
            error,
        }
    }

    /// Turns the error of a stream into the store's own: an error that was made by
    /// [`StoreError::into_io`] comes out as it went in, an early end is [`StoreError::Truncated`].
    pub(crate) fn from_read(what: &str, error: io::Error) -> Self {
        if error
            .get_ref()
            .is_some_and(|inner| inner.is::<StoreError>())
        {
            let kind = error.kind();
            return match error
                .into_inner()
                .map(|inner| inner.downcast::<StoreError>())
            {
                Some(Ok(inner)) => *inner,
                _ => Self::CorruptLayer {
                    what: what.to_owned(),
                    reason: kind.to_string(),
                },
            };
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated {
                what: what.to_owned(),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace {
                path: PathBuf::from(what),
            },
            _ => Self::CorruptLayer {
                what: what.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    /// The same for the raw bytes of an object, before anything was made of them.
    pub(crate) fn from_source(what: &str, error: io::Error) -> Self {
        let own = error
            .get_ref()
            .is_some_and(|inner| inner.is::<StoreError>());
        if own || error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::from_read(what, error);
        }
        Self::io("cannot read", Path::new(what), error)
    }

    /// Carries this error through an interface that knows only [`io::Error`].
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}
