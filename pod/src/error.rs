//! What can go wrong with a pod's files.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::{InvalidId, PodName, PodUuid};

/// A failure on a pod's files or its control socket.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// A system call on a path failed.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried, as a verb phrase.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A record is not what it should be.
    #[error("{path} is damaged ({reason})")]
    Damaged {
        /// The record's path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record was written by a later release.
    #[error("{path} has version {found}, and this release reads up to {supported}")]
    LaterVersion {
        /// The record's path.
        path: PathBuf,
        /// The version it carries.
        found: u64,
        /// The newest version understood here.
        supported: u64,
    },
    /// A record is larger than those that are read.
    #[error("{path} can't be written: it would have {length} bytes, and {most} are the most")]
    TooLarge {
        /// The record's path.
        path: PathBuf,
        /// The bytes that it would have.
        length: usize,
        /// The most that a record has.
        most: u64,
    },
    /// A filesystem doesn't limit what is in a directory.
    #[error("{path} is on {filesystem} without project quotas")]
    NoProjectQuotas {
        /// A directory of it.
        path: PathBuf,
        /// What it is called.
        filesystem: String,
    },
    /// Every project ID is in use.
    #[error("no project ID is free: each volume of a limited size has one")]
    NoProject,
    /// Too many descriptors are on their way between processes of this user.
    #[error(
        "too many descriptors are in flight between processes of this user, and not taken by them"
    )]
    TooManyInFlight,
    /// A long message goes in a file in memory, and none could be made.
    #[error("cannot make a file in memory for a message: {0}")]
    NoMemoryFile(io::Error),
    /// What was sent before has not been read, and there is no room for more.
    #[error("the other end of a connection has not read what it was sent before")]
    Full,
    /// A name or a UUID is not well formed.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// No pod answers to this UUID prefix or name.
    #[error("no pod has the name `{0}` or a UUID that begins with it")]
    NoSuchPod(String),
    /// More than one pod answers to this UUID prefix.
    #[error("`{prefix}` is the beginning of more than one pod's UUID: {candidates}")]
    Ambiguous {
        /// The prefix as given.
        prefix: String,
        /// The UUIDs that begin with it, comma separated.
        candidates: String,
    },
    /// The name belongs to another pod.
    #[error("the name `{name}` is in use by pod {holder}")]
    NameInUse {
        /// The name.
        name: PodName,
        /// Who has it.
        holder: PodUuid,
    },
    /// Every block of IDs that there is belongs to a pod.
    #[error("no block of user IDs is free: all {blocks} from {first} on belong to pods")]
    NoIdBlock {
        /// The first ID of the first block.
        first: u32,
        /// How many blocks there are.
        blocks: u32,
    },
    /// Every user as whom a virtual machine may run is that of a pod.
    #[error(
        "no user is free for a virtual machine: all belong to pods; `fairing gc` frees those of pods that are gone"
    )]
    NoMachineUser,
    /// Every pair of categories that there is belongs to a pod.
    #[error("no pair of SELinux categories is free: all belong to pods")]
    NoCategories,
    /// The pod's lock is held by another process.
    #[error("pod {0} is in use by another process")]
    Locked(PodUuid),
    /// Nobody is at the other end of a connection any more.
    #[error("the pod has ended")]
    Ended,
    /// A message on a control socket is not well formed.
    #[error("unexpected message on the control socket: {0}")]
    Protocol(String),
}

impl PodError {
    /// An [`PodError::Io`] with its operands, for `map_err`.
    pub fn io(operation: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// The same for what a system call answers.
    pub(crate) fn errno<E: Into<io::Error>>(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> Self {
        let with_io = Self::io(operation, path);
        move |errno| with_io(errno.into())
    }
}
