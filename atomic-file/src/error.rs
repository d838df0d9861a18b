//! What goes wrong with a file that is to be found whole.

use std::io;
use std::path::{Path, PathBuf};

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {error}", path.display())]
pub struct Error {
    /// `create`, `open`, `write`, `sync` or `rename`.
    pub step: &'static str,
    /// The file or directory of the step; of a rename the place that the file was to get.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

impl Error {
    pub(crate) fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self { step, path, error }
    }
}
