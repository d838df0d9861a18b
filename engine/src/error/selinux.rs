//! Why an app can't have a label of SELinux, or a file.

use std::path::PathBuf;

use pod::selinux::{Context, NotAContext};

/// Why an app can't have a label of SELinux, or a file.
#[derive(Debug, thiserror::Error)]
pub enum SelinuxError {
    /// The policy doesn't have it.
    #[error("SELinux is enabled here, and its policy does not know the label {0}")]
    UnknownLabel(Box<Context>),
    /// What the policy says of containers is not understood.
    #[error("{path}: {reason}", path = .path.display())]
    Policy {
        /// The file that says it.
        path: PathBuf,
        /// What is wrong.
        reason: NotAContext,
    },
    /// A part of a label that the policy's can't have.
    #[error(transparent)]
    Label(#[from] NotAContext),
    /// A directory that must keep its label.
    #[error("the SELinux label of {path} is not changed: the system needs it", path = .0.display())]
    SystemDirectory(PathBuf),
    /// Directories within directories.
    #[error("cannot label all of {path}: it holds more than {1} directories within each other", path = .0.display())]
    TooDeep(PathBuf, usize),
    /// Files without end.
    #[error("cannot label all of {path}: it holds more than {1} files", path = .0.display())]
    TooMany(PathBuf, u64),
    /// A file that keeps the label that it has.
    #[error("cannot give the SELinux label {label} to all of {path}: {source}", path = .path.display())]
    Unlabelled {
        /// What was to be labelled.
        path: PathBuf,
        /// The label.
        label: Box<Context>,
        /// The system's answer.
        source: std::io::Error,
    },
}
