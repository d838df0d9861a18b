//! Why a command failed: one type, one exit code for each reason, one line on standard error.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};

use cni_glue::NetworkError;
use cni_glue::config::ConfigError;
use engine::Error;
use image_name::NameError;
use image_registry::RegistryError;
use image_store::StoreError;
use nix::sys::signal::Signal;
use pod::PodError;
use pod::stage1::Stage1Error;
use trust::{EditError, KeyError, PolicyError, Refusal};

use super::{advice, edits, exit_code};
use engine::policy::remedy::{self, Origin};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The engine failed.
    #[error("{}", advice::text(.0))]
    Engine(Error),
    /// The policy refused what this command was to bring into the store.
    #[error("{}", advice::text(.0))]
    RefusedImport(Error),
    /// The policy refused what this command was to fetch, by its name.
    #[error("{}", advice::text(.0))]
    RefusedPull(Error),
    /// A key file holds no key.
    #[error("key {path}: {source}")]
    Key { path: PathBuf, source: KeyError },
    /// A policy file can't be edited.
    #[error("policy file {path}: {}", edits::text(.source))]
    Edit { path: PathBuf, source: EditError },
    /// Only root may do this.
    #[error("`fairing {command}` must be run as root; use sudo or a root shell")]
    NotRoot { command: String },
    /// A signal came before the image was in the store, or soon after.
    #[error("interrupted by {signal}")]
    Interrupted { signal: Signal },
    /// Several objects were to be worked on; the failures of each have been printed.
    #[error("{first}")]
    Printed { first: Box<Failure> },
    /// Another failure, and what helps in that case.
    #[error("{failure}; {help}")]
    Helped { failure: Box<Failure>, help: String },
    /// There is something of that name.
    #[error("{0}")]
    NameTaken(String),
    /// There is nothing of that name.
    #[error("{0}")]
    NoSuchName(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            // What this program stopped itself for.
            Error::Caller(own) => match own.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(other) => Self::Engine(Error::Caller(other)),
            },
            error => Self::Engine(error),
        }
    }
}

/// What the libraries below the engine say is said by the engine.
macro_rules! from_libraries {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Engine(error.into())
            }
        })+
    };
}

from_libraries!(
    StoreError,
    RegistryError,
    PodError,
    Stage1Error,
    PolicyError,
    NameError,
    NetworkError,
    ConfigError,
    Refusal
);

impl From<atomic_file::Error> for Failure {
    fn from(failed: atomic_file::Error) -> Self {
        Self::io(failed.step, failed.path)(failed.error)
    }
}

impl Failure {
    /// Why something can't be brought into the store.
    pub(crate) fn of_import(error: Error) -> Self {
        match error {
            error @ Error::Refused { .. } => Self::RefusedImport(error),
            error => error.into(),
        }
    }

    /// Why something can't be fetched, by a command that does only that.
    pub(crate) fn of_pull(error: Error) -> Self {
        match error {
            error @ Error::Refused { .. } => Self::RefusedPull(error),
            error => error.into(),
        }
    }

    /// The same failure, with what helps.
    pub(crate) fn helped(self, help: String) -> Self {
        Self::Helped {
            failure: Box::new(self),
            help,
        }
    }

    /// A failure of a system call on a path, for `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        let with_path = Error::io(operation, path);
        move |source| Self::Engine(with_path(source))
    }

    /// The same for an [`nix::errno::Errno`].
    pub(crate) fn errno(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(nix::errno::Errno) -> Self {
        let with_io = Self::io(operation, path);
        move |errno| with_io(errno.into())
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit_code::USAGE,
            Self::Engine(error) | Self::RefusedImport(error) | Self::RefusedPull(error) => {
                exit_code::of(error)
            }
            Self::NotRoot { .. } => 118,
            Self::Printed { first } => first.exit_code(),
            Self::Helped { failure, .. } => failure.exit_code(),
            Self::Interrupted { signal } => {
                128_u8.saturating_add(u8::try_from(*signal as i32).unwrap_or(0))
            }
            Self::NameTaken(_) => exit_code::NAME_TAKEN,
            Self::NoSuchName(_) => exit_code::NO_SUCH_NAME,
            Self::Key { .. } | Self::Edit { .. } | Self::Other(_) => exit_code::OTHER,
        }
    }

    /// The whole chain of errors in one line.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Engine(error) | Self::RefusedImport(error) | Self::RefusedPull(error) => {
                Self::line_of(error)
            }
            Self::Helped { failure, help } => format!("{}; {help}", failure.line()),
            other => chain(other.to_string(), other.source()),
        }
    }

    /// The same for a failure of the engine.
    pub(crate) fn line_of(error: &Error) -> String {
        chain(advice::text(error), error.source())
    }

    /// What would help, a line each; only where the policy refused.
    pub(crate) fn advice(&self) -> Vec<String> {
        match self {
            Self::Engine(Error::Refused { refusal, place }) => {
                let origin = place.as_deref().map_or(Origin::Name, Origin::Place);
                remedy::advice(refusal, origin)
            }
            Self::RefusedImport(Error::Refused { refusal, .. }) => {
                remedy::advice(refusal, Origin::Import(&this_command()))
            }
            Self::RefusedPull(Error::Refused { refusal, place }) => match place {
                Some(place) => remedy::advice(refusal, Origin::Place(place)),
                None => remedy::advice(refusal, Origin::Pull(&this_command())),
            },
            _ => Vec::new(),
        }
    }
}

/// The words of this command after the program's name, for a shell.
fn this_command() -> String {
    let words = std::env::args_os().skip(1);
    remedy::shell_words(words.map(|word| word.to_string_lossy().into_owned()))
}

fn chain(mut line: String, mut cause: Option<&(dyn std::error::Error + 'static)>) -> String {
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

/// Folds line breaks and other control characters, which hostile text may hold.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use image_document::DocumentError;
    use image_store::ContentError;
    use pod::exit::FailureKind;

    use super::*;

    fn code(error: impl Into<StoreError>) -> u8 {
        Failure::from(error.into()).exit_code()
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
            code(StoreError::Content(ContentError::DigestMismatch {
                what: what(),
                expected: what(),
                found: what()
            })),
            111
        );
        assert_eq!(
            code(StoreError::Content(ContentError::Truncated {
                what: what()
            })),
            112
        );
        assert_eq!(
            code(StoreError::Content(ContentError::CorruptCompression {
                what: what(),
                reason: what()
            })),
            112
        );
        assert_eq!(
            code(StoreError::Document(DocumentError::NotJson {
                what: what(),
                reason: what()
            })),
            113
        );
        assert_eq!(
            code(StoreError::Document(DocumentError::NoPlatform {
                what: what(),
                platform: what(),
                available: Vec::new()
            })),
            114
        );
        assert_eq!(
            code(StoreError::Content(ContentError::NoSpace {
                path: "/x".into()
            })),
            117
        );
        assert_eq!(
            code(RegistryError::Network {
                registry: what(),
                action: what(),
                reason: what(),
                lack: None
            }),
            122
        );
        let limited = || RegistryError::RateLimited {
            registry: what(),
            action: what(),
            message: what(),
            retry_after: None,
        };
        assert_eq!(code(limited()), 122);
        let behind_mirrors = |error| RegistryError::NoMirror {
            error: Box::new(error),
            mirrors: vec![limited()],
        };
        assert_eq!(code(behind_mirrors(limited())), 122);
        let truncated = RegistryError::Content(ContentError::Truncated { what: what() });
        assert_eq!(code(behind_mirrors(truncated)), 112);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::io("write", "/x")(full).exit_code(), 117);
        assert_eq!(Failure::from(PodError::NoSuchPod(what())).exit_code(), 121);
        assert_eq!(Failure::Usage(what()).exit_code(), 2);
        let root = Failure::NotRoot { command: what() };
        assert_eq!(root.exit_code(), 118);
        let user = Failure::from(Error::Refusing {
            kind: FailureKind::UnknownUser,
            message: what(),
        });
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
