//! Why a command failed: one type, one exit code for each reason, one line on standard error.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use image_store::{Reference, StoreError};
use nix::sys::signal::Signal;
use pod::PodError;
use pod::exit::FailureKind;
use pod::stage1::Stage1Error;
use trust::{EditError, KeyError, NameError, PolicyError, Refusal};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The image store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer is not as it was unpacked.
    #[error("image {reference} is refused: {source}; {}", integrity_remedy(.source, .reference))]
    Integrity {
        reference: String,
        source: StoreError,
    },
    /// An image is not in the store, and must not be fetched.
    #[error("image {reference} is not known in the store; {}", remedy(.reference))]
    NotInStore { reference: String },
    /// A pod's files or its control socket failed.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// The isolator can't be used.
    #[error(transparent)]
    Stage1(#[from] Stage1Error),
    /// The policy refuses the image.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// An image may run, but nothing of it was signed.
    #[error("image {reference}: no signature was verified: {reason}")]
    NotSigned { reference: String, reason: String },
    /// The policy can't be understood.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A policy file or folder can't be trusted.
    #[error("policy {path} is refused: {reason}")]
    UntrustedPolicy { path: PathBuf, reason: String },
    /// A containers policy says something that is not understood.
    #[error("policy {path}: {source}")]
    ContainersPolicy {
        path: PathBuf,
        source: trust::ContainersPolicyError,
    },
    /// A key file holds no key.
    #[error("key {path}: {source}")]
    Key { path: PathBuf, source: KeyError },
    /// A name is not fit for trust rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A policy file can't be edited.
    #[error("policy file {path}: {source}")]
    Edit { path: PathBuf, source: EditError },
    /// Only root may do this.
    #[error("`fairing {command}` must be run as root; use sudo or a root shell")]
    NotRoot { command: String },
    /// The isolator or the monitor says why.
    #[error("{message}")]
    Isolator { kind: FailureKind, message: String },
    /// A system call on a path failed.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        operation: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A signal came before the image was in the store, or soon after.
    #[error("interrupted by {signal}")]
    Interrupted { signal: Signal },
    /// Several objects were to be worked on; the failures of each have been printed.
    #[error("{first}")]
    Printed { first: Box<Failure> },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Failure {
    /// A [`Failure::Io`] with its operands, for `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    /// What a check of layers said, with the image that was to be started.
    pub(crate) fn integrity(error: StoreError, reference: &Reference) -> Self {
        match error {
            StoreError::Unsealed { .. } | StoreError::LayerChanged { .. } => Self::Integrity {
                reference: reference.to_string(),
                source: error,
            },
            other => Self::Store(other),
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

    /// The exit code; the table stands in the README and in `fairing help`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotInStore { .. } => 110,
            Self::NotSigned { .. } => 115,
            Self::Integrity { .. } => 111,
            Self::Store(error) => store_code(error),
            Self::Refused(refusal) => refusal_code(refusal),
            Self::NotRoot { .. } => 118,
            Self::Pod(error) | Self::Stage1(Stage1Error::Manifest(error)) => pod_code(error),
            Self::Isolator { kind, .. } => u8::try_from(kind.exit_code()).unwrap_or(125),
            Self::Io { source, .. } => io_code(source),
            Self::Printed { first } => first.exit_code(),
            Self::Interrupted { signal } => {
                128_u8.saturating_add(u8::try_from(*signal as i32).unwrap_or(0))
            }
            Self::Stage1(_)
            | Self::Policy(_)
            | Self::UntrustedPolicy { .. }
            | Self::ContainersPolicy { .. }
            | Self::Key { .. }
            | Self::Name(_)
            | Self::Edit { .. }
            | Self::Other(_) => 125,
        }
    }

    /// The whole chain of errors in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Many messages hold their cause already.
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        one_line(&line)
    }

    /// What would help, a line each; only where the policy refused.
    fn advice(&self) -> Vec<String> {
        match self {
            Self::Refused(refusal) => refusal.advice(),
            _ => Vec::new(),
        }
    }

    /// Prints `fairing: …` on standard error, and advice below it.
    pub(crate) fn print(&self) {
        match self {
            Self::Printed { .. } => {}
            // Usage and tips, as the parser words them.
            Self::Usage(text) => crate::output::error(&format!("fairing: {}\n", text.trim_end())),
            _ => {
                let mut text = format!("fairing: {}\n", self.line());
                for line in self.advice() {
                    text.push_str("  ");
                    text.push_str(&one_line(&line));
                    text.push('\n');
                }
                crate::output::error(&text);
                crate::output::debug(|| one_line(&format!("{self:?}")));
            }
        }
    }
}

/// What to do about an image that is not in the store.
fn remedy(reference: &str) -> String {
    match reference.starts_with("sha256:") {
        true => "`fairing image list` shows what is".to_owned(),
        false => format!("`fairing fetch {reference}` gets it"),
    }
}

/// What to do about layers that are not as they were unpacked.
fn integrity_remedy(error: &StoreError, reference: &str) -> String {
    match error {
        StoreError::Unsealed { .. } => format!(
            "`fairing image verify --reseal {reference}` reads every byte of it and seals it again"
        ),
        _ => format!("`fairing image verify --repair {reference}` restores it"),
    }
}

/// Folds line breaks and other control characters, which hostile text may hold.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn io_code(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => 117,
        _ => 125,
    }
}

fn store_code(error: &StoreError) -> u8 {
    match error {
        StoreError::UnknownImage { .. } => 110,
        StoreError::DigestMismatch { .. }
        | StoreError::Damaged { .. }
        | StoreError::Unsealed { .. }
        | StoreError::LayerChanged { .. } => 111,
        StoreError::Truncated { .. }
        | StoreError::SizeMismatch { .. }
        | StoreError::CorruptCompression { .. }
        | StoreError::CorruptLayer { .. }
        | StoreError::UnsafeEntry { .. }
        | StoreError::LayerLimit { .. } => 112,
        StoreError::NotJson { .. } | StoreError::BadManifest { .. } => 113,
        StoreError::NoPlatform { .. } => 114,
        StoreError::NoSpace { .. } => 117,
        // What the registry itself said.
        StoreError::NoMirror { error, .. } => store_code(error),
        StoreError::Registry { .. }
        | StoreError::Unauthorized { .. }
        | StoreError::RateLimited { .. }
        | StoreError::Blocked { .. }
        | StoreError::Proxy { .. }
        | StoreError::PlainHttpRefused { .. }
        | StoreError::Network { .. } => 122,
        StoreError::Io { error, .. } => io_code(error),
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
        _ => 115,
    }
}

fn pod_code(error: &PodError) -> u8 {
    match error {
        PodError::NameInUse { .. } => 120,
        PodError::NoSuchPod(_) | PodError::Ambiguous { .. } | PodError::InvalidUuid(_) => 121,
        PodError::Io { source, .. } => io_code(source),
        _ => 125,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: StoreError) -> u8 {
        Failure::from(error).exit_code()
    }

    #[test]
    fn each_reason_has_its_exit_code() {
        let what = || "x".to_owned();
        assert_eq!(
            code(StoreError::UnknownImage {
                reference: what(),
                place: what()
            }),
            110
        );
        assert_eq!(
            code(StoreError::DigestMismatch {
                what: what(),
                expected: what(),
                found: what()
            }),
            111
        );
        assert_eq!(code(StoreError::Truncated { what: what() }), 112);
        assert_eq!(
            code(StoreError::CorruptCompression {
                what: what(),
                reason: what()
            }),
            112
        );
        assert_eq!(
            code(StoreError::NotJson {
                what: what(),
                reason: what()
            }),
            113
        );
        assert_eq!(
            code(StoreError::NoPlatform {
                what: what(),
                platform: what(),
                available: Vec::new()
            }),
            114
        );
        assert_eq!(code(StoreError::NoSpace { path: "/x".into() }), 117);
        assert_eq!(
            code(StoreError::Network {
                registry: what(),
                action: what(),
                reason: what()
            }),
            122
        );
        let limited = || StoreError::RateLimited {
            registry: what(),
            action: what(),
            message: what(),
            retry_after: None,
        };
        assert_eq!(code(limited()), 122);
        let behind_mirrors = |error| StoreError::NoMirror {
            error: Box::new(error),
            mirrors: vec![what()],
        };
        assert_eq!(code(behind_mirrors(limited())), 122);
        let truncated = StoreError::Truncated { what: what() };
        assert_eq!(code(behind_mirrors(truncated)), 112);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::io("write", "/x")(full).exit_code(), 117);
        assert_eq!(Failure::from(PodError::NoSuchPod(what())).exit_code(), 121);
        assert_eq!(Failure::Usage(what()).exit_code(), 2);
        let root = Failure::NotRoot { command: what() };
        assert_eq!(root.exit_code(), 118);
        let user = Failure::Isolator {
            kind: FailureKind::UnknownUser,
            message: what(),
        };
        assert_eq!(user.exit_code(), 119);
    }

    #[test]
    fn the_message_is_one_line_and_says_each_cause_once() {
        let error = Failure::io("open", "/a")(io::Error::from_raw_os_error(2));
        assert_eq!(
            error.line(),
            "cannot open /a: No such file or directory (os error 2)"
        );
        let hostile = Failure::Other("a\nb\x1b[2Jc".to_owned());
        assert_eq!(hostile.line(), "a b [2Jc");
    }
}
