//! One exit code for each reason that a script may want to tell apart; the table stands in the documentation and in
//! `fairing help`.

use std::io;

use cni_glue::config::ConfigError;
use engine::Error;
use engine::error::{
    AppError, IsolatorError, MountError, NetworkSpecError, SecurityError, UpdateError, VolumeError,
};
use image_document::DocumentError;
use image_registry::RegistryError;
use image_store::{ContentError, StoreError};
use pod::PodError;
use pod::id::InvalidId;
use pod::stage1::Stage1Error;
use trust::Refusal;

/// The exit codes, for the help.
pub(crate) const TABLE: &str = "\
Exit codes:
  those of the app for `run`, `run-prepared` and `enter` (128 + N if signal N ended it), else 0, or
    2  the command line makes no sense
  108  `doctor` found what pods run without, and lack
  109  `doctor` found what keeps pods from running
  110  neither the store nor the registry knows the image
  111  something doesn't have the digest it should have, or a layer was changed in the store
  112  a layer or an archive is truncated, corrupt or incomplete, or something is too large
  113  a manifest, a configuration or what else an image is to come from is invalid
  114  the image is not for this platform
  115  the image is unsigned, or no rule lets it run
  116  the image is signed, but not as the rule requires
  117  no space is left
  118  only root may do this
  119  the image does not know the user or group
  120  a pod, an app, a volume or a network of that name exists
  121  there is no such pod, app, volume or network, or more than one
  122  the registry can't be reached, or refuses
  125  anything else that went wrong within fairing
  126  the program can't be executed
  127  the program does not exist
";

/// The command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The machine lacks what pods run without.
pub(crate) const MACHINE_LACKS: u8 = 108;
/// The machine lacks what pods need.
pub(crate) const MACHINE_UNFIT: u8 = 109;
/// Something of that name exists.
pub(super) const NAME_TAKEN: u8 = 120;
/// There is nothing of that name, or more than one thing.
pub(super) const NO_SUCH_NAME: u8 = 121;
/// Anything else that went wrong within fairing.
pub(crate) const OTHER: u8 = 125;

/// The exit code of a failure of the engine.
pub(super) fn of(error: &Error) -> u8 {
    match error {
        Error::NotInStore { .. } | Error::RatherFile { .. } => 110,
        Error::NoSuchPodOrImage(_) => NO_SUCH_NAME,
        Error::Name(_) => USAGE,
        Error::NotSigned { .. } => 115,
        Error::Integrity { .. } | Error::NotMended { .. } => 111,
        Error::Store(error) => store_code(error),
        Error::Refused { refusal, .. } => refusal_code(refusal),
        Error::Pod(error) | Error::Stage1(Stage1Error::Manifest(error)) => pod_code(error),
        Error::Refusing { kind, .. } => u8::try_from(kind.exit_code()).unwrap_or(OTHER),
        Error::Io { source, .. } => io_code(source),
        Error::App(
            AppError::SameName(_)
            | AppError::Duplicate(_)
            | AppError::FlagAsProgram { .. }
            | AppError::MayBeRoot { .. }
            | AppError::Limits { .. },
        )
        | Error::Isolator(IsolatorError::NoName(_) | IsolatorError::OwnProcesses(_)) => USAGE,
        Error::Security(
            SecurityError::AllAndNone
            | SecurityError::AddedAndDropped(_)
            | SecurityError::Profile { .. }
            | SecurityError::HostIpc
            | SecurityError::HostPids
            | SecurityError::HostCgroups
            | SecurityError::ManagesHostCgroups(_)
            | SecurityError::Sysctl { .. },
        ) => USAGE,
        Error::Mount(
            MountError::SamePlace(_) | MountError::SameVolume(_) | MountError::NoVolume { .. },
        ) => USAGE,
        Error::Volume(VolumeError::Files(error)) => pod_code(error),
        Error::Volume(VolumeError::Exists(_)) | Error::App(AppError::Exists { .. }) => NAME_TAKEN,
        Error::Update(
            UpdateError::WouldNotStart { source, .. } | UpdateError::NoWayBack { source, .. },
        ) => source.downcast_ref().map_or(OTHER, of),
        Error::Volume(VolumeError::Unknown(_))
        | Error::Update(UpdateError::NotAsking(_))
        | Error::App(AppError::Unknown { .. })
        | Error::Networks(ConfigError::Unknown { .. }) => NO_SUCH_NAME,
        Error::NetworkSpec(error) => match error {
            NetworkSpecError::HandedOver { .. } => OTHER,
            _ => USAGE,
        },
        _ => OTHER,
    }
}

fn io_code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 117,
        _ => 125,
    }
}

fn store_code(error: &StoreError) -> u8 {
    match error {
        // Names are typed: those that documents hold are told as what is wrong with the document.
        StoreError::Name(_) | StoreError::InvalidReference { .. } => USAGE,
        StoreError::UnknownImage { .. } => 110,
        StoreError::Damaged { .. } => 111,
        StoreError::BrokenSource { .. } | StoreError::UnknownPacking { .. } => 112,
        // Which one is for the command line to say.
        StoreError::SeveralImages { .. } => USAGE,
        StoreError::NoImage { .. }
        | StoreError::InvalidSource { .. }
        | StoreError::WhiteoutName { .. } => 113,
        StoreError::Content(error) => content_code(error),
        StoreError::Document(error) => document_code(error),
        StoreError::Registry(error) => registry_code(error),
        _ => 125,
    }
}

fn content_code(error: &ContentError) -> u8 {
    match error {
        ContentError::DigestMismatch { .. }
        | ContentError::Unsealed { .. }
        | ContentError::LayerChanged { .. } => 111,
        ContentError::Truncated { .. }
        | ContentError::SizeMismatch { .. }
        | ContentError::CorruptCompression { .. }
        | ContentError::CorruptLayer { .. }
        | ContentError::UnsafeEntry { .. }
        | ContentError::LayerLimit { .. }
        | ContentError::LimitExceeded { .. } => 112,
        ContentError::NoSpace { .. } => 117,
        ContentError::Io { error, .. } => io_code(error),
        _ => 125,
    }
}

fn document_code(error: &DocumentError) -> u8 {
    match error {
        DocumentError::Name(_)
        | DocumentError::NotJson { .. }
        | DocumentError::BadManifest { .. } => 113,
        DocumentError::NoPlatform { .. } => 114,
        DocumentError::Content(error) => content_code(error),
        _ => 125,
    }
}

fn registry_code(error: &RegistryError) -> u8 {
    match error {
        RegistryError::Name(_) | RegistryError::InvalidReference { .. } => USAGE,
        RegistryError::UnknownImage { .. } => 110,
        RegistryError::Content(error) => content_code(error),
        RegistryError::Document(error) => document_code(error),
        // What the registry itself said.
        RegistryError::NoMirror { error, .. } => registry_code(error),
        RegistryError::Status { .. }
        | RegistryError::Unauthorized { .. }
        | RegistryError::RateLimited { .. }
        | RegistryError::Blocked { .. }
        | RegistryError::Proxy { .. }
        | RegistryError::PlainHttpRefused { .. }
        | RegistryError::Network { .. } => 122,
        _ => 125,
    }
}

fn refusal_code(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::WrongKey { .. }
        | Refusal::WrongSignature { .. }
        | Refusal::NotEnough { .. }
        | Refusal::NotAttested { .. }
        | Refusal::RolledBack { .. } => 116,
        Refusal::BrokenKey { .. } | Refusal::BrokenChain { .. } => 125,
        Refusal::ByEveryName { first, .. } => refusal_code(first),
        _ => 115,
    }
}

fn pod_code(error: &PodError) -> u8 {
    match error {
        PodError::NameInUse { .. } => NAME_TAKEN,
        PodError::NoSuchPod(_) | PodError::Ambiguous { .. } | PodError::Id(InvalidId::Uuid(_)) => {
            NO_SUCH_NAME
        }
        PodError::Io { source, .. } => io_code(source),
        _ => 125,
    }
}
