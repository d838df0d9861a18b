//! Why an isolator is not there, or not trusted.

use std::fmt;
use std::path::PathBuf;

use pod::manifest::{AppPath, HostNamespace};

/// Why there is no isolator to run a pod with.
#[derive(Debug, thiserror::Error)]
pub enum IsolatorError {
    /// It could have been written by somebody else than root.
    #[error("isolator {isolator} is refused: {path}: {flaw}")]
    Untrusted {
        /// Its directory.
        isolator: PathBuf,
        /// The file or directory of it, or above it.
        path: PathBuf,
        /// What is wrong with that.
        flaw: IsolatorFlaw,
    },
    /// What is asked for can't be the name of one.
    #[error("{0:?} is not the name of an isolator")]
    NoName(String),
    /// It is nowhere.
    #[error("isolator {name:?} is {}", nowhere_in(.places))]
    NotFound {
        /// Its name.
        name: String,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// It keeps nothing apart from the host.
    #[error("the isolator `{name}` gives a pod no {what} of its own: it has the host's")]
    Shares {
        /// Its name.
        name: String,
        /// What was asked for.
        what: OwnPart,
    },
    /// It keeps apps apart from the host's processes.
    #[error("the isolator `{0}` keeps the apps of this pod apart from the processes of the host")]
    OwnProcesses(String),
    /// It would be a mount on a directory of the host.
    #[error("the isolator `{name}` mounts nothing on {place}: what is there is the host's")]
    PlaceOfHost {
        /// Its name.
        name: String,
        /// Where something was to be mounted.
        place: AppPath,
    },
    /// An image of another shape.
    #[error("image {reference} is not an isolator: it has {layers} layers, not one")]
    Layers {
        /// The image.
        reference: String,
        /// How many layers it has.
        layers: usize,
    },
}

/// What a pod has for itself, unless nothing keeps it apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPart {
    /// A host name.
    HostName,
    /// A network.
    Network,
    /// Another namespace.
    Namespace(HostNamespace),
}

impl fmt::Display for OwnPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostName | Self::Namespace(HostNamespace::Uts) => "host name",
            Self::Network => "network",
            Self::Namespace(HostNamespace::Cgroup) => "view of cgroups",
            Self::Namespace(HostNamespace::Ipc) => "IPC",
            Self::Namespace(HostNamespace::Pid) => "process IDs",
        })
    }
}

fn nowhere_in(places: &[PathBuf]) -> String {
    let named: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
    match places {
        [only] => format!("not in {}", only.display()),
        _ => format!("neither in {}", named.join(" nor in ")),
    }
}

/// Why a part of an isolator can't be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolatorFlaw {
    /// It belongs to this user, who is not root.
    Owner(u32),
    /// Others than its owner may write it.
    Writable,
    /// A directory above it, in which everyone may replace it.
    Replaceable,
    /// It is deeper or more than an isolator has.
    TooMuch,
    /// It is neither a file nor a directory.
    Kind,
}

impl fmt::Display for IsolatorFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner(uid) => write!(f, "it belongs to user {uid}, not to root; chown it"),
            Self::Writable => {
                f.write_str("users other than its owner may write to it; `chmod go-w` it")
            }
            Self::Replaceable => f.write_str("everyone may write to it"),
            Self::TooMuch => f.write_str("it holds more than an isolator does"),
            Self::Kind => f.write_str("it is neither a file nor a directory"),
        }
    }
}
