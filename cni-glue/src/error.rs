//! What can go wrong with a pod's network.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use crate::config::ConfigError;
use crate::id::ContainerId;
use crate::mac::Mac;
use crate::netlink::socket::Refused;
use crate::ports::PortError;
use crate::record::FileError;
use crate::runtime::Verb;
use crate::subnet::IpNet;

/// A failure on a network namespace, a link, or what belongs to one.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The kernel refused.
    #[error("cannot {operation}: {source}{}", if source.errno == Errno::EPERM { NEEDED } else { "" })]
    Kernel {
        /// What was tried, as a verb phrase.
        operation: String,
        /// Its answer.
        source: Refused,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration of a network.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A plugin.
    #[error(transparent)]
    Plugin(#[from] Box<PluginError>),
    /// A port of the host.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Ports are asked for, and no network of the pod can forward them.
    #[error("ports can't be forwarded: {0}")]
    NoPorts(&'static str),
    /// Limits are asked for, and can't be kept in one of the pod's networks.
    #[error("bandwidth can't be limited: {0}")]
    NoBandwidth(String),
    /// A setting of a built-in network, or an argument.
    #[error("network {network}: {reason}")]
    Setting {
        /// Which network.
        network: String,
        /// What is wrong, and with what.
        reason: String,
    },
    /// Another fairing has made its built-in networks in this network namespace.
    #[error("another fairing{} has {what} in this network namespace, and there can be only one", owner.as_ref().map(|owner| format!(", which keeps its state in {owner},")).unwrap_or_default())]
    OtherFairing {
        /// What it has, of which there can be one.
        what: String,
        /// The directory of its state, if that is known.
        owner: Option<String>,
    },
    /// What is kept of a built-in network can't be read, and pods may be in it.
    #[error("network {network}: {} is damaged: {reason}", path.display())]
    DamagedNetwork {
        /// Which network.
        network: String,
        /// The file.
        path: PathBuf,
        /// In what way.
        reason: String,
    },
    /// What was remembered of a pod that is gone couldn't be read, and it is unknown which network that was.
    #[error(
        "{damage}; it belonged to a pod that is gone, and was removed: what plugins still hold for that pod, only \
         they can release"
    )]
    LostAttachment {
        /// Of which file, and in what way.
        damage: FileError,
    },
    /// No address is left.
    #[error("network {network} has no free address left in {subnet}")]
    Exhausted {
        /// Which network.
        network: String,
        /// Its addresses.
        subnet: IpNet,
    },
    /// The address that was asked for is another pod's.
    #[error("network {network}: address {address} belongs to pod {holder}")]
    AddressTaken {
        /// Which network.
        network: String,
        /// The address.
        address: IpAddr,
        /// The other pod.
        holder: ContainerId,
    },
    /// A pod could not be put into a network, nor could all be undone that was done for it.
    #[error("{error}; and it could not be undone: {undoing}")]
    NotUndone {
        /// What failed first.
        error: Box<NetworkError>,
        /// What failed then.
        undoing: Box<NetworkError>,
    },
    /// A pod of which nothing lives could not be taken out of a network.
    #[error("pod {container} has ended and can't be removed from its network: {error}")]
    OfDead {
        /// The pod.
        container: ContainerId,
        /// What failed.
        error: Box<NetworkError>,
    },
    /// A machine lacks an interface that it was to have.
    #[error("no network interface has the hardware address {0}")]
    NoInterface(Mac),
    /// A namespace lacks an interface that it was to have.
    #[error("there is no network interface {0}")]
    NoSuchInterface(String),
    /// A pod is not connected as it should be.
    #[error("network {network}: {reason}")]
    Disconnected {
        /// Which network.
        network: String,
        /// What is missing.
        reason: String,
    },
}

/// A plugin could not be called, or did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("network {network}: plugin {plugin}: {verb}: {failure}")]
pub struct PluginError {
    /// The network.
    pub network: String,
    /// The plugin's type.
    pub plugin: String,
    /// What it was asked to do.
    pub verb: Verb,
    /// What happened.
    #[source]
    pub failure: PluginFailure,
}

/// What happened to a call.
#[derive(Debug, thiserror::Error)]
pub enum PluginFailure {
    /// There is no such program.
    #[error("there is no such program in {}", searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
    NotFound {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// It could not be started, or its streams failed.
    #[error("cannot run {}: {source}", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It said what is wrong.
    #[error("{msg}{} (code {code})", if details.is_empty() { String::new() } else { format!(": {details}") })]
    Refused {
        /// 1 to 99 as the specification has it, from 100 on the plugin's own.
        code: u64,
        /// Its words.
        msg: String,
        /// More of them.
        details: String,
    },
    /// It failed without a word that can be understood.
    #[error("it ended with {status} and no error that can be understood{}", if said.is_empty() { String::new() } else { format!("; it said: {said}") })]
    Silent {
        /// How it ended.
        status: String,
        /// The beginning of what it wrote.
        said: String,
    },
    /// It was ended because nobody wants what it does any more.
    #[error("it was ended, because the pod's start was interrupted")]
    Interrupted,
    /// It was ended because it took too long.
    #[error("it did not finish within {} s and was ended", .0.as_secs_f32())]
    Timeout(Duration),
    /// What somebody else has called for the same pod goes on.
    #[error("what was called before for the same pod still runs: process {}", .0.iter().map(i32::to_string).collect::<Vec<_>>().join(", "))]
    Busy(Vec<i32>),
    /// The file by which those are kept apart that work on one pod.
    #[error(transparent)]
    File(#[from] FileError),
    /// What it wrote is no result.
    #[error("its answer can't be understood: {0}")]
    Garbage(String),
    /// It wrote more than is read.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    /// No version of the specification is spoken by all.
    #[error("it supports none of the versions that the configuration allows; it supports {0}")]
    Version(String),
    /// What was to be told to it can't be written.
    #[error("its input can't be written: {0}")]
    Told(String),
    /// A built-in network.
    #[error(transparent)]
    BuiltIn(#[from] NetworkError),
}

impl PluginFailure {
    /// Whether the plugin ran, and ended by itself.
    pub(crate) fn is_its_own(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Silent { .. })
    }

    /// The code of the specification, where the plugin gave one.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// What helps where the kernel says that it isn't permitted.
const NEEDED: &str = "; networks need the capability CAP_NET_ADMIN on the host's network";

impl NetworkError {
    /// Whether a file could not be written because the file system is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File(FileError::Io { source, .. }) => {
                source.kind() == std::io::ErrorKind::StorageFull
            }
            Self::Port(PortError::File(FileError::Io { source, .. })) => {
                source.kind() == std::io::ErrorKind::StorageFull
            }
            Self::NotUndone { error, .. } | Self::OfDead { error, .. } => error.is_full(),
            _ => false,
        }
    }

    /// Which dead pod it is about.
    pub(crate) fn of_dead(self, container: &ContainerId) -> Self {
        Self::OfDead {
            container: container.clone(),
            error: Box::new(self),
        }
    }

    /// For `map_err`.
    pub(crate) fn at<E: Into<Refused>>(operation: impl Into<String>) -> impl FnOnce(E) -> Self {
        let operation = operation.into();
        move |source| Self::Kernel {
            operation,
            source: source.into(),
        }
    }
}
