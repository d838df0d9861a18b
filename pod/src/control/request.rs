//! What a client asks for.

use serde::{Deserialize, Serialize};

use crate::feature::Feature;
use crate::id::{AppName, PodName};
use crate::manifest::{App, AppPath, ImageRecord, Resources};
use crate::signal::SignalNumber;

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
        /// Which signal.
        signal: SignalNumber,
    },
    /// Run a command inside of an app, as the app's user and under its limits.
    Exec(ExecRequest),
    /// The same as another user. Monitors of releases that knew no users of commands refuse it.
    ExecAs {
        /// The command.
        #[serde(flatten)]
        command: ExecRequest,
        /// Whose process it is.
        #[serde(rename = "as")]
        user: CommandUser,
    },
    /// Send files of an app over the standard output of a process in there, as a tar stream, or make files there of one
    /// that comes over its standard input. The process is the app's root's and under its limits. Answered as a command is.
    Copy(CopyRequest),
    /// The client's terminal has a new size. Goes to what this connection has started or is attached to.
    Resize(WindowSize),
    /// Take in an app, whose image the client has verified; the app doesn't run yet.
    AddApp(Box<AddApp>),
    /// Start an app that doesn't run, whose image the client has verified again. Answered when it executes its
    /// program, or could not.
    StartApp(Box<StartApp>),
    /// Write down that an app that has never run can't be started: the client has found why before it could ask for that.
    /// Monitors of earlier releases refuse it.
    NotStarted {
        /// Which.
        app: AppName,
        /// Why, in words.
        why: String,
    },
    /// End an app: its stop signal, SIGKILL after the grace period; SIGKILL if it is being started. Answered when it has
    /// ended; at once if it doesn't run.
    StopApp {
        /// Which.
        app: AppName,
        /// Time until SIGKILL, in milliseconds; the pod's own if absent, none at all if 0.
        #[serde(default)]
        grace_ms: Option<u64>,
    },
    /// Take an app that doesn't run out of the pod, with its files and its log.
    RemoveApp {
        /// Which.
        app: AppName,
        /// Whether to kill it first if it runs or is being started.
        #[serde(default)]
        force: bool,
    },
    /// Share an app's standard streams: see what it writes from now on, and write to its input.
    Attach(AttachRequest),
    /// What apps use.
    Stats {
        /// Which app; all if absent.
        #[serde(default)]
        app: Option<AppName>,
    },
    /// Which processes there are, in a virtual machine.
    Processes,
    /// Change an app's limits, to all of these: what is absent is limited no longer.
    Update {
        /// Which app.
        app: AppName,
        /// Its limits from now on.
        resources: Box<Resources>,
    },
    /// Change some limits: what is absent stays as it is.
    Limit {
        /// Of which app; of all together if absent.
        #[serde(default)]
        app: Option<AppName>,
        /// The limits that change.
        resources: Box<Resources>,
    },
    /// Open logs anew: somebody has renamed the files.
    ReopenLog {
        /// Of which app; of all if absent.
        #[serde(default)]
        app: Option<AppName>,
    },
    /// Freeze all processes of apps.
    Pause {
        /// Of which app; of all if absent.
        #[serde(default)]
        app: Option<AppName>,
    },
    /// Freeze all processes of an app until this connection is over. One that is frozen already stays so then.
    Hold {
        /// Of which app.
        app: AppName,
    },
    /// Thaw them.
    Resume {
        /// Of which app; of all if absent.
        #[serde(default)]
        app: Option<AppName>,
    },
    /// Wait for an end. Answered when the app has ended, at once if it doesn't run; or when the pod has, after all
    /// that is written down of its end.
    Wait {
        /// Of which app; of the pod if absent.
        #[serde(default)]
        app: Option<AppName>,
    },
    /// Call the pod by another name, which the client has claimed for it.
    Rename {
        /// The name.
        name: PodName,
    },
    /// Tell what happens from now on.
    Events,
}

impl Request {
    /// What an isolator has to offer for its monitors to carry this out; those without a feature are for all.
    pub fn feature(&self) -> Option<Feature> {
        match self {
            Self::Status | Self::Stop { .. } | Self::Signal { .. } | Self::Wait { .. } => None,
            Self::Resize(_) | Self::Rename { .. } | Self::Events | Self::Processes => None,
            Self::Exec(_) | Self::ExecAs { .. } | Self::Copy(_) => Some(Feature::Exec),
            Self::AddApp(_) | Self::StartApp(_) => Some(Feature::Mutable),
            Self::NotStarted { .. } => Some(Feature::Mutable),
            Self::StopApp { .. } | Self::RemoveApp { .. } => Some(Feature::Mutable),
            Self::Attach(_) => Some(Feature::Attach),
            Self::Stats { .. } => Some(Feature::Stats),
            Self::Update { .. } | Self::Limit { .. } => Some(Feature::Update),
            Self::ReopenLog { .. } => Some(Feature::ReopenLog),
            Self::Pause { .. } | Self::Resume { .. } | Self::Hold { .. } => Some(Feature::Pause),
        }
    }
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
    /// Where it starts; in the app's working directory if absent.
    #[serde(default)]
    pub workdir: Option<AppPath>,
    /// Whether it outlives this connection; its input is empty then, and nobody sees its output. Else it is asked to end
    /// when the connection does.
    #[serde(default)]
    pub detach: bool,
    /// Whether to give it a pseudo-terminal.
    #[serde(default)]
    pub tty: bool,
    /// The size of that terminal.
    #[serde(default)]
    pub size: Option<WindowSize>,
    /// How long it may run, in milliseconds; as long as it likes if absent. Then it is killed, with all that it has
    /// started, and the answer says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    /// Whether it goes on when this connection is over, though its streams are the client's.
    #[serde(default)]
    pub outlives: bool,
}

/// Whose process a command is, as the app's root filesystem knows users. What it may do is bounded as for the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommandUser {
    /// Name or number; the app's user if empty.
    #[serde(default)]
    pub user: String,
    /// Name or number; the user's primary group if empty.
    #[serde(default)]
    pub group: String,
}

/// Files that go out of an app, or into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CopyRequest {
    /// Which app; may be absent if the pod has but one.
    #[serde(default)]
    pub app: Option<AppName>,
    /// What is copied.
    pub copy: FileCopy,
}

impl CopyRequest {
    /// As an argument of a program.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn to_argument(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| format!("cannot say what is copied: {error}"))
    }

    /// What [`CopyRequest::to_argument`] has written.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(argument: &str) -> Result<Self, String> {
        serde_json::from_str(argument).map_err(|error| format!("this is not to be copied: {error}"))
    }
}

/// What is copied. Paths may end with `/.`, for what is in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "direction",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum FileCopy {
    /// Out of the app.
    Out {
        /// The file or directory.
        path: AppPath,
        /// Whether the path may be a symbolic link to what is meant.
        follow: bool,
    },
    /// Into the app.
    In {
        /// Where to.
        path: AppPath,
        /// What comes.
        of: SentFiles,
        /// Whether files get the owners that the stream names; else they are root's.
        owners: bool,
    },
}

/// What comes as a tar stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SentFiles {
    /// A file or directory.
    Named {
        /// Its name where it comes from, which it keeps in a directory.
        name: String,
    },
    /// What is in a directory.
    Content,
    /// A tar file.
    Archive,
}

/// An app that joins the pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AddApp {
    /// Its entry in the pod manifest.
    pub app: App,
}

/// An app that is to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StartApp {
    /// Which.
    pub app: AppName,
    /// What has just been verified of its image: that which it was added with.
    pub image: ImageRecord,
    /// Whether it is to be started only if it never was.
    #[serde(default)]
    pub first: bool,
}

/// An app whose streams a client wants to share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttachRequest {
    /// Which app; may be absent if the pod has but one.
    #[serde(default)]
    pub app: Option<AppName>,
    /// Whether the client writes to its input.
    #[serde(default)]
    pub stdin: bool,
    /// The size of the client's terminal.
    #[serde(default)]
    pub size: Option<WindowSize>,
    /// Whether to wait for its start if it does not run: the client sees all that it writes from then on.
    #[serde(default)]
    pub at_start: bool,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}
