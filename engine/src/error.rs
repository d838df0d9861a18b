//! Why an operation failed: what was tried, on what, and the reason, but no advice. How to help depends
//! on who asks: a person at a shell has flags, a kubelet has none.

mod app;
mod config;
mod device;
mod distrust;
mod isolator;
mod machine;
mod monitor;
mod mount;
mod network;
mod port_forward;
mod security;
mod selinux;
mod unreadable_pod;
mod update;
mod user_namespace;
mod volume;

use std::io;
use std::path::{Path, PathBuf};

use image_name::{NameError, Reference};
use image_registry::RegistryError;
use image_store::{ContentError, ImageSource, StoreError};
use pod::exit::FailureKind;
use pod::stage1::Stage1Error;
use pod::{PodError, PodUuid, State};
use trust::{ContainersPolicyError, PolicyError, Refusal};

pub use self::app::AppError;
pub use self::config::ConfigError;
pub use self::device::DeviceError;
pub use self::distrust::Distrust;
pub use self::isolator::{IsolatorError, IsolatorFlaw, OwnPart};
pub use self::machine::MachineError;
pub use self::monitor::{Clearing, MonitorError};
pub use self::mount::MountError;
pub use self::network::NetworkSpecError;
pub use self::port_forward::PortForwardError;
pub use self::security::SecurityError;
pub use self::selinux::SelinuxError;
pub use self::unreadable_pod::UnreadablePod;
pub use self::update::UpdateError;
pub use self::user_namespace::UserNamespaceError;
pub use self::volume::VolumeError;

/// An error of the caller's own, which stopped an operation.
pub type CallerError = Box<dyn std::error::Error + Send + Sync>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer is not as it was unpacked.
    #[error("image {reference} is refused: {source}")]
    Integrity {
        /// The image that was to be started.
        reference: String,
        /// What is wrong with the layer.
        source: StoreError,
    },
    /// What is damaged of an image in the store can't be made anew.
    #[error("image {reference} is damaged in the store and can't be mended: {reason}")]
    NotMended {
        /// The image.
        reference: String,
        /// What is damaged, and what stands in the way.
        reason: String,
    },
    /// An image is not in the store, and must not be fetched.
    #[error("image {reference} is not known in the store")]
    NotInStore {
        /// What it was called.
        reference: String,
    },
    /// A word that is no image of the store, and rather a file than an image of a registry.
    #[error("no image of the store is called {word}, which looks like {what}", what = match is_there {
        true => "the file of that name",
        false => "a file that is not there",
    })]
    RatherFile {
        /// What was typed.
        word: String,
        /// Whether there is a file of that name.
        is_there: bool,
    },
    /// A name is neither that of a pod nor that of an image.
    #[error("neither a pod nor an image of the store is called `{0}`")]
    NoSuchPodOrImage(String),
    /// The image of a prepared pod is another one now.
    #[error("image {reference} of the pod is now {now}, and the pod was prepared from {prepared}")]
    OtherImage {
        /// Its name.
        reference: String,
        /// Digest of the manifest that the name stands for.
        now: String,
        /// Digest of the manifest that the pod was prepared from.
        prepared: String,
    },
    /// A pod's files or its control socket failed.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// A pod uses something, and nobody can tell what.
    #[error(transparent)]
    Unreadable(Box<UnreadablePod>),
    /// A pod is not in the state that the operation needs.
    #[error("pod {uuid} can't be {operation}: it {}", state.in_words())]
    State {
        /// The pod.
        uuid: PodUuid,
        /// What was to be done, as a past participle.
        operation: &'static str,
        /// The state it is in.
        state: State,
    },
    /// What is waited for can't come any more.
    #[error("pod {uuid} can't be waited for until it is `{conditions}`: {why}")]
    NeverAgain {
        /// The pod.
        uuid: PodUuid,
        /// What was waited for.
        conditions: String,
        /// Why that is in vain.
        why: String,
    },
    /// A pod has gone, or moved on, while its files were read.
    #[error("pod {0} was removed or started while its files were read: what was read is not whole")]
    RemovedMeanwhile(PodUuid),
    /// The isolator can't be used.
    #[error(transparent)]
    Stage1(#[from] Stage1Error),
    /// There is no such isolator, or it can't be trusted.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
    /// A virtual machine can't be as asked for.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The isolator or the monitor says why.
    #[error("{message}")]
    Refusing {
        /// What kind of failure it is.
        kind: FailureKind,
        /// In words.
        message: String,
    },
    /// The monitor of a pod can't be talked to.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// Nobody listens in the pod.
    #[error(transparent)]
    PortForward(#[from] PortForwardError),
    /// An app can't be run as asked for.
    #[error(transparent)]
    App(#[from] AppError),
    /// An app can't have a device that is asked for.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// An app can't be confined as asked for.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// An app can't have a mount that is asked for.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A pod can't have a user namespace.
    #[error(transparent)]
    UserNamespace(#[from] UserNamespaceError),
    /// An app or a file can't have a label.
    #[error(transparent)]
    Selinux(#[from] SelinuxError),
    /// Something can't be done with a volume that outlives pods.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A service could not be given a newer image.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The policy refuses the image.
    #[error("{refusal}")]
    Refused {
        /// Why.
        #[source]
        refusal: Box<Refusal>,
        /// The directory or archive it was to come from; `None` if its name tells where it is.
        place: Option<String>,
    },
    /// An image may run, but nothing of it was signed.
    #[error("image {reference}: no signature was verified: {reason}")]
    NotSigned {
        /// The image.
        reference: String,
        /// Why it was to be signed.
        reason: String,
    },
    /// The policy can't be understood.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy file or directory can't be trusted.
    #[error("policy {path} is refused: {reason}")]
    UntrustedPolicy {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: Distrust,
    },
    /// A containers policy says something that is not understood.
    #[error("policy {path}: {source}")]
    ContainersPolicy {
        /// Its file.
        path: PathBuf,
        /// What is not understood.
        source: ContainersPolicyError,
    },
    /// A name is not fit for trust rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What a pod is to have of networks makes no sense.
    #[error(transparent)]
    NetworkSpec(#[from] NetworkSpecError),
    /// Networks that are not configured, or can't be understood.
    #[error(transparent)]
    Networks(#[from] cni_glue::config::ConfigError),
    /// A network failed.
    #[error(transparent)]
    Network(#[from] cni_glue::NetworkError),
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
    /// The caller stopped it.
    #[error(transparent)]
    Caller(CallerError),
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            refusal: Box::new(refusal),
            place: None,
        }
    }
}

impl Error {
    /// An [`Error::Io`] with its operands, for `map_err`.
    pub fn io(operation: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// The same for an [`nix::errno::Errno`].
    pub(crate) fn errno(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(nix::errno::Errno) -> Self {
        let with_io = Self::io(operation, path);
        move |errno| with_io(errno.into())
    }

    /// What was said of an image that was to be fetched from there.
    pub(crate) fn at_place(self, source: &ImageSource) -> Self {
        match (self, source) {
            (error, ImageSource::Registry(_)) => error,
            (Self::Refused { refusal, .. }, source) => Self::Refused {
                refusal,
                place: Some(source.to_string()),
            },
            (other, _) => other,
        }
    }

    /// What a check of layers said, with the image that was to be started.
    pub(crate) fn integrity(error: StoreError, reference: &Reference) -> Self {
        match error {
            StoreError::Content(ContentError::Unsealed { .. })
            | StoreError::Content(ContentError::LayerChanged { .. }) => Self::Integrity {
                reference: reference.to_string(),
                source: error,
            },
            other => Self::Store(other),
        }
    }
}
