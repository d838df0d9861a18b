//! Why a file that decides what may run is not believed.

use std::fmt;
use std::path::PathBuf;

/// Why a file or directory can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It belongs to this user, who is not root.
    Owner(u32),
    /// Others than root may write it.
    Writable,
    /// It is a symbolic link, which could lead elsewhere the next moment.
    SymbolicLink,
    /// It is not a directory.
    NotDirectory,
    /// It is not a regular file.
    NotRegularFile,
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// It holds more than this many files.
    TooMany(usize),
    /// It is not UTF-8 text.
    NotText,
    /// The directory that it is in can't be trusted.
    Directory(PathBuf, Box<Distrust>),
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(uid) => write!(f, "it belongs to user {uid}, not to root; chown it"),
            Self::Writable => f.write_str("users other than root may write to it; `chmod go-w` it"),
            Self::SymbolicLink => f.write_str("it is a symbolic link"),
            Self::NotDirectory => f.write_str("it is not a directory"),
            Self::NotRegularFile => f.write_str("it is not a regular file"),
            Self::TooLarge(bytes) => write!(f, "it is larger than {bytes} bytes"),
            Self::TooMany(files) => write!(f, "it holds more than {files} files"),
            Self::NotText => f.write_str("it is not UTF-8 text"),
            Self::Directory(path, reason) => {
                write!(f, "of its directory {}: {reason}", path.display())
            }
        }
    }
}
