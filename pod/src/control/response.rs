//! What the monitor answers.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::stats::PodStats;
use super::status::LiveStatus;
use crate::exit::{FailureKind, Outcome};
use crate::id::AppName;
use crate::processes::PodProcess;

/// What the monitor answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Response {
    /// To [`super::Request::Status`].
    Status(LiveStatus),
    /// The request has been carried out.
    Done,
    /// The command runs. With it come its descriptors: standard input, output and error as pipes, or one
    /// pseudo-terminal.
    ExecStarted {
        /// Its process ID on the host.
        pid: i32,
    },
    /// The command has ended.
    ExecExited {
        /// How.
        outcome: Outcome,
        /// Whether it was killed because its time was over.
        #[serde(default)]
        timed_out: bool,
    },
    /// To [`super::Request::Attach`]. With it come pipes: the app's standard input if it was asked for, then its output
    /// and, unless it has a terminal, its errors.
    Attached {
        /// Whether the app has a terminal.
        tty: bool,
    },
    /// To [`super::Request::Stats`].
    Stats(Box<PodStats>),
    /// To [`super::Request::Processes`].
    Processes {
        /// Each, in the order of their numbers.
        processes: Vec<PodProcess>,
    },
    /// An app that was waited for, or attached to, has ended.
    AppEnded {
        /// Which.
        app: AppName,
        /// How; absent if it has never run.
        #[serde(default)]
        outcome: Option<Outcome>,
    },
    /// The pod has ended.
    PodEnded {
        /// Its exit code.
        exit_code: i32,
    },
    /// Something has happened.
    Event(Event),
    /// The request could not be carried out.
    Refused {
        /// The kind of failure.
        kind: FailureKind,
        /// One line.
        message: String,
    },
}
