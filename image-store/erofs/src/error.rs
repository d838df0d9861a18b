//! Why an image can't be written.

use std::io;

/// Why an image can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ErofsError {
    /// The system refused something.
    #[error("cannot write the filesystem image: {0}")]
    Io(#[from] io::Error),
    /// The format has no room for it.
    #[error("the filesystem image would be larger than 16 TiB")]
    TooLarge,
    /// The format has no room for so many.
    #[error("there are more than four thousand million files in one filesystem image")]
    TooMany,
    /// No file can be called so, or another one is.
    #[error("{name:?} can't be the name of a file in a filesystem image: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// An extended attribute for which the format has no room.
    #[error("the extended attribute {0:?} does not fit into a filesystem image")]
    Xattr(String),
    /// More names, or more directories, were told to be complete than were begun.
    #[error("a file is told of outside of every directory")]
    NoDirectory,
}
