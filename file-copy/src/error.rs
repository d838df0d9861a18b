//! Why something could not be copied.

use std::io;
use std::path::{Path, PathBuf};

use image_layer::ContentError;
use rustix::io::Errno;

/// Why something could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The system does not do it.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// What comes is no tar stream, or goes over a limit, or names what it must not.
    #[error(transparent)]
    Stream(#[from] ContentError),
    /// Nothing came.
    #[error("nothing came")]
    Nothing,
    /// A directory was to go where a file is.
    #[error("cannot copy a directory onto {}, which is none", .0.display())]
    ToFile(PathBuf),
    /// There is no directory at a path that names one.
    #[error("{} is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// A path that names a directory by what stands at its end.
    #[error("{} is no directory, as its end says", .0.display())]
    Contents(PathBuf),
    /// Something else is in the way.
    #[error("{} is in the way: {why}", path.display())]
    InTheWay {
        /// Where.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// A member of the stream that does not belong to the rest.
    #[error("what comes is not below {} alone", .0.display())]
    Stray(PathBuf),
}

impl CopyError {
    /// For `map_err`: what was tried, on what.
    pub fn io<E: Into<io::Error>>(
        what: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::Io {
            what,
            path: path.as_ref().to_path_buf(),
            source: error.into(),
        }
    }

    /// Whether whoever was written to has gone, and knows why.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn errno(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::io(what, path)(io::Error::from(errno))
    }
}
