//! What can be wrong with bytes that have a digest, with layers, and with the files that they are in.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use image_name::Digest;

use crate::layer_limit::LayerLimit;

/// A failure on contents. `Display` is one line that names the object and the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
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
    #[error("{what}: corrupt tar archive: {reason}")]
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
    #[error("{what}: {} exceeds the limit of {value}", limit.subject())]
    LayerLimit {
        /// The layer, and the entry where one is to blame.
        what: String,
        /// Which limit.
        limit: LayerLimit,
        /// Its value in force.
        value: u64,
    },
    /// The file system of the store (or of an export) is full.
    #[error("no space left on the file system of {}", path.display())]
    NoSpace {
        /// The file or directory that was written.
        path: PathBuf,
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
    /// Something else where a file must be.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// Its path.
        path: PathBuf,
    },
    /// A thread panicked, which is a bug: what it was to find out is not known.
    #[error("{work} failed unexpectedly: one of its threads panicked")]
    WorkerPanicked {
        /// What it was at.
        work: &'static str,
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
    /// Whatever the source of a stream said, which is not a matter of its contents.
    #[error(transparent)]
    Source(Box<dyn Error + Send + Sync>),
}

fn others(more: u64) -> String {
    match more {
        0 => String::new(),
        1 => " (and one more change)".to_owned(),
        more => format!(" (and {more} more changes)"),
    }
}

impl ContentError {
    /// Wraps a failed system call; a full file system or an exceeded quota becomes
    /// [`ContentError::NoSpace`].
    pub fn io(action: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        if is_full(&error) {
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

    /// Turns the error of a stream into this type: one that was made by [`ContentError::into_io`]
    /// comes out as it went in, an early end is [`ContentError::Truncated`].
    #[must_use]
    pub fn from_read(what: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Truncated {
                what: what.to_owned(),
            },
            Err(error) if is_full(&error) => Self::NoSpace {
                path: PathBuf::from(what),
            },
            Err(error) => Self::CorruptLayer {
                what: what.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    /// The same for the raw bytes of an object, before anything was made of them.
    #[must_use]
    pub fn from_source(what: &str, error: io::Error) -> Self {
        if Self::is_in(&error) || error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::from_read(what, error);
        }
        Self::io("cannot read", Path::new(what), error)
    }

    /// Whether it can be the answer of a place that serves something else than what it is asked for.
    #[must_use]
    pub fn is_odd_answer(&self) -> bool {
        matches!(
            self,
            Self::DigestMismatch { .. }
                | Self::SizeMismatch { .. }
                | Self::Truncated { .. }
                | Self::LimitExceeded { .. }
        )
    }

    /// Carries this error through an interface that knows only [`io::Error`].
    #[must_use]
    pub fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// Whether an error was made by [`ContentError::into_io`].
    #[must_use]
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truncated() -> ContentError {
        ContentError::Truncated {
            what: "inner".to_owned(),
        }
    }

    #[test]
    fn an_error_of_a_stream_says_what_is_wrong_with_the_object() {
        let read = |error| ContentError::from_read("x", error).to_string();
        let of = |kind: io::ErrorKind| io::Error::new(kind, "because");
        assert_eq!(read(of(io::ErrorKind::UnexpectedEof)), "x is truncated");
        assert_eq!(read(truncated().into_io()), "inner is truncated");
        let corrupt = read(of(io::ErrorKind::InvalidData));
        assert_eq!(corrupt, "x: corrupt tar archive: because");
        let full = ContentError::from_read("x", of(io::ErrorKind::StorageFull));
        assert!(matches!(full, ContentError::NoSpace { .. }), "{full}");
        // Of raw bytes, nothing is corrupt but what a reader makes of them.
        let source = |error| ContentError::from_source("x", error);
        let failed = source(of(io::ErrorKind::ConnectionReset));
        assert!(matches!(failed, ContentError::Io { .. }), "{failed}");
        let ended = source(of(io::ErrorKind::UnexpectedEof)).to_string();
        assert_eq!(ended, "x is truncated");
        assert_eq!(
            source(truncated().into_io()).to_string(),
            "inner is truncated"
        );
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("/x");
        let of = |kind: io::ErrorKind| ContentError::io("cannot write", path, kind);
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(of(kind), ContentError::NoSpace { .. }), "{kind}");
        }
        let other = of(io::ErrorKind::PermissionDenied).to_string();
        assert!(other.starts_with("cannot write /x"), "{other}");
    }

    #[test]
    fn an_odd_answer_is_one_that_another_place_may_not_give() {
        let mismatch = ContentError::SizeMismatch {
            what: "x".to_owned(),
            expected: 1,
            found: 2,
        };
        assert!(truncated().is_odd_answer() && mismatch.is_odd_answer());
        let corrupt = ContentError::CorruptLayer {
            what: "x".to_owned(),
            reason: "y".to_owned(),
        };
        assert!(!corrupt.is_odd_answer());
        assert!(ContentError::is_in(&corrupt.into_io()));
        assert!(!ContentError::is_in(&io::ErrorKind::Other.into()));
        assert!(!ContentError::is_in(&io::Error::other("x")));
    }
}
