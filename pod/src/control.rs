//! The control protocol: what the CLI and the CRI shim ask of a running pod.
//!
//! Each message is one [`crate::seqpacket`] message on the Unix socket [`SOCKET_FILE`] in the pod's
//! runtime folder. The monitor answers each [`Request`] with one [`Response`], except that an
//! [`Request::Exec`] that was started is followed by [`Response::ExecExited`] when the command has ended.

use serde::{Deserialize, Serialize};

use crate::exit::{FailureKind, Outcome};
use crate::id::AppName;
use crate::timestamp::Timestamp;

/// The socket's name in the pod's runtime folder.
pub const SOCKET_FILE: &str = "control";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Request {
    /// How the pod is.
    Status,
    /// End the pod: the stop signal to each app, SIGKILL after the grace period.
    /// Answered at once; the connection closes when the pod has ended.
    Stop {
        /// Time until SIGKILL, in milliseconds; the pod's own if absent, none at all if 0.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    /// Send a signal to the main process of one app, or of each.
    Signal {
        /// Which app; all if absent.
        #[serde(default)]
        app: Option<AppName>,
        /// The signal's number.
        signal: i32,
    },
    /// Run a command inside of an app, as the app's user and under its limits.
    Exec(ExecRequest),
    /// The client's terminal has a new size. Goes to the command that this connection started.
    Resize(WindowSize),
}

/// A command to run inside of an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecRequest {
    /// Which app; may be absent if the pod has but one.
    #[serde(default)]
    pub app: Option<AppName>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables to add to the app's environment.
    #[serde(default)]
    pub env: Vec<String>,
    /// Whether to give it a pseudo-terminal.
    #[serde(default)]
    pub tty: bool,
    /// The size of that terminal.
    #[serde(default)]
    pub size: Option<WindowSize>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// What the monitor answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Response {
    /// To [`Request::Status`].
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
    },
    /// The request could not be carried out.
    Refused {
        /// The kind of failure.
        kind: FailureKind,
        /// One line.
        message: String,
    },
}

/// A running pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveStatus {
    /// The monitor's process ID.
    pub monitor_pid: i32,
    /// Pod init's process ID on the host.
    pub init_pid: i32,
    /// When its apps were started; absent while they are being started.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// Its apps, in the manifest's order.
    pub apps: Vec<LiveApp>,
}

/// One app of a running pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveApp {
    /// Its name.
    pub name: AppName,
    /// The process ID of its main process on the host, while that runs.
    #[serde(default)]
    pub pid: Option<i32>,
    /// When it was started.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// How it ended, once it has.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}
