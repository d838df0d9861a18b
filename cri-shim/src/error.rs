//! Why a call fails, and by which code gRPC says so.

mod blame;

use std::fmt::Display;
use std::io;
use std::time::Duration;

use engine::error::AppError;
use engine::policy::remedy::{self, Origin};
use nix::errno::Errno;
use pod::exit::FailureKind;
use pod::stage1::Stage1Error;
use pod::{PodError, PodUuid};
use tonic::{Code, Status};

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CriError {
    /// There is no such thing.
    #[error("{what} {} is not found", short(.id))]
    NotFound {
        /// What: a sandbox, a container, an image.
        what: &'static str,
        /// What it was called.
        id: String,
    },
    /// A beginning of an id fits several.
    #[error("{what} {} is not one: several ids begin so", short(.id))]
    Ambiguous {
        /// What.
        what: &'static str,
        /// The beginning.
        id: String,
    },
    /// The request makes no sense.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field.
        field: String,
        /// Why.
        reason: String,
    },
    /// The request asks for what this runtime doesn't do.
    #[error("{field}: {reason}")]
    Unsupported {
        /// Which field.
        field: String,
        /// Why.
        reason: String,
    },
    /// It is not in a state for that.
    #[error("{what} {} {reason}", short(.id))]
    State {
        /// What.
        what: &'static str,
        /// Which.
        id: String,
        /// How it is.
        reason: String,
    },
    /// Another request for the same key is not done.
    #[error("{0} is still being made by an earlier request")]
    Busy(String),
    /// It took too long.
    #[error("{what} took longer than {} s", .after.as_secs())]
    Deadline {
        /// What.
        what: String,
        /// So long.
        after: Duration,
    },
    /// Nobody waits for it any more.
    #[error("the caller has gone, and {0} was ended")]
    Cancelled(&'static str),
    /// The node is not set up for it yet.
    #[error("{0}")]
    NotReady(String),
    /// Too much is asked for at once.
    #[error("{0}")]
    Exhausted(String),
    /// The engine.
    #[error("{}", told(.0))]
    Engine(#[from] engine::Error),
    /// An image can't be pulled, for a reason that kubelets know by a word.
    #[error("{word}: {}", told(.error))]
    Pull {
        /// The word.
        word: &'static str,
        /// What went wrong.
        error: Box<engine::Error>,
    },
    /// The pods' directories.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// The manifest of what may be a sandbox.
    #[error(
        "sandbox {id} can't be told of: {source}; if it stays so, `fairing rm --force {uuid}` on the node removes it"
    )]
    Unreadable {
        /// The sandbox's id.
        id: String,
        /// Its pod.
        uuid: PodUuid,
        /// Why.
        source: PodError,
    },
    /// A system call.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// This program itself.
    #[error("internal: {0}")]
    Internal(String),
}

impl CriError {
    /// A field that has to be there is not.
    pub(crate) fn missing(field: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: "it is missing or empty".to_owned(),
        }
    }

    /// A field makes no sense.
    pub(crate) fn invalid(field: impl Into<String>, reason: impl Display) -> Self {
        Self::Invalid {
            field: field.into(),
            reason: reason.to_string(),
        }
    }

    /// A field asks for what can't be done.
    pub(crate) fn unsupported(field: impl Into<String>, reason: impl Display) -> Self {
        Self::Unsupported {
            field: field.into(),
            reason: reason.to_string(),
        }
    }

    /// The same about a field that is one of another message's.
    pub(crate) fn below(mut self, message: &str) -> Self {
        if let Self::Invalid { field, .. } | Self::Unsupported { field, .. } = &mut self {
            *field = format!("{message}.{field}");
        }
        self
    }

    /// A system call failed.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }

    /// Whether it is of this program or the machine, which is short of something, and not of what was looked at.
    pub(crate) fn is_shortage(&self) -> bool {
        let source = match self {
            Self::Unreadable {
                source: PodError::Io { source, .. },
                ..
            }
            | Self::Pod(PodError::Io { source, .. })
            | Self::Io { source, .. } => source.raw_os_error().map(Errno::from_raw),
            _ => None,
        };
        matches!(source, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
    }

    /// The code of gRPC.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::Ambiguous { .. } | Self::Invalid { .. } => Code::InvalidArgument,
            Self::Unsupported { .. } => Code::InvalidArgument,
            Self::State { .. } | Self::NotReady(_) => Code::FailedPrecondition,
            Self::Busy(_) => Code::Unavailable,
            Self::Deadline { .. } => Code::DeadlineExceeded,
            Self::Cancelled(_) => Code::Cancelled,
            Self::Exhausted(_) => Code::ResourceExhausted,
            Self::Engine(error) => of_engine(error),
            Self::Pod(PodError::NoSuchPod(_)) => Code::NotFound,
            Self::Unreadable { .. } | Self::Pull { .. } | Self::Pod(_) | Self::Io { .. } => {
                Code::Unknown
            }
            Self::Internal(_) => Code::Internal,
        }
    }
}

fn of_engine(error: &engine::Error) -> Code {
    match error {
        engine::Error::App(AppError::Exists { .. }) => Code::AlreadyExists,
        engine::Error::App(AppError::NotRunning(..)) => Code::FailedPrecondition,
        engine::Error::App(AppError::Unknown { .. }) => Code::NotFound,
        engine::Error::Pod(PodError::NoSuchPod(_)) => Code::NotFound,
        engine::Error::State { .. } => Code::FailedPrecondition,
        engine::Error::Refusing {
            kind: FailureKind::TooMany,
            ..
        } => Code::ResourceExhausted,
        // What is asked for can't be had, however often.
        engine::Error::Security(_)
        | engine::Error::Device(_)
        | engine::Error::Mount(_)
        | engine::Error::Stage1(Stage1Error::Lacks { .. }) => Code::InvalidArgument,
        _ => Code::Unknown,
    }
}

/// An error of the engine with all that led to it, in one line; of an image that the policy refuses, what helps.
fn told(error: &engine::Error) -> String {
    let mut text = error.to_string();
    if let engine::Error::Refused { refusal, .. } = error {
        for line in remedy::advice(refusal, Origin::Node) {
            let (what, why) = line.split_once(remedy::NOTE).unwrap_or((&line, ""));
            text.push_str("; ");
            text.push_str(what);
            if !why.is_empty() {
                text.push_str(&format!(" ({why})"));
            }
        }
        return text;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Longest id or name that is shown whole, in bytes.
const SHOWN_MAX: usize = 256;

/// An id, or the beginning of one that nothing has.
fn short(id: &str) -> std::borrow::Cow<'_, str> {
    match id.split_at_checked(id.floor_char_boundary(SHOWN_MAX)) {
        Some((begin, rest)) if !rest.is_empty() => format!("{begin}{CUT}").into(),
        _ => id.into(),
    }
}

/// Longest message, in bytes. It goes into a header, where each byte may become three, and clients take 16 KiB of these.
const MESSAGE_MAX: usize = 4096;
/// What is at the end of one that is cut.
const CUT: &str = "…";

impl From<CriError> for Status {
    fn from(error: CriError) -> Self {
        Self::new(error.code(), cut(error.to_string()))
    }
}

/// A message that is not too long: what clients have sent may be part of it.
fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX - CUT.len()));
        message.push_str(CUT);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_makes_no_message_too_long() {
        let told = |id: String| {
            let what = "sandbox";
            Status::from(CriError::NotFound { what, id })
        };
        assert_eq!(told("abc".to_owned()).message(), "sandbox abc is not found");
        let long = told("ä".repeat(1 << 20));
        assert_eq!(long.code(), Code::NotFound);
        assert!(long.message().len() < 2 * SHOWN_MAX);
        assert!(long.message().ends_with("ä… is not found"));
        let long = Status::from(CriError::Busy("ä".repeat(1 << 20)));
        assert!(long.message().len() <= MESSAGE_MAX && long.message().ends_with("ä…"));
    }
}
