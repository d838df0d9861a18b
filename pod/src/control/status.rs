//! How a running pod is.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::exit::{OutOfMemory, Outcome};
use crate::id::AppName;
use crate::timestamp::Timestamp;

/// A running pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveStatus {
    /// The monitor's process ID.
    pub monitor_pid: i32,
    /// Pod init's process ID on the host.
    pub init_pid: i32,
    /// Where the network namespace of the pod is, if pod init's process is not in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network_namespace: Option<PathBuf>,
    /// When its apps were started; absent while they are being started.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// Whether it is being stopped.
    #[serde(default)]
    pub stopping: bool,
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
    /// When it was started last.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// When it ended, if it doesn't run.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// How it ended, if it doesn't run.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Whether its processes are frozen.
    #[serde(default)]
    pub paused: bool,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u64,
    /// Whether it is ready to serve; absent where nobody looks after that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ready: Option<bool>,
    /// When it starts again, if it is going to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_start: Option<Timestamp>,
    /// How its run before this one ended, if it was started again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_end: Option<LastEnd>,
    /// What was wrong when it was found not to be well, last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complaint: Option<String>,
    /// Its last words, if it has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// How many of its processes the kernel has killed because memory was short, since it was started last.
    #[serde(default)]
    pub oom_kills: Option<u64>,
    /// What had no memory left, if that is why it was killed and somebody knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_of_memory: Option<OutOfMemory>,
}

/// How an app ended that was started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastEnd {
    /// When.
    pub finished: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Its last words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// What an app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppState {
    /// It has not been started.
    Created,
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It has ended, and starts again after a while.
    BackingOff,
    /// It has ended.
    Exited,
    /// It is gone without a trace: its pod was killed.
    Lost,
}

impl LiveStatus {
    /// Where the network namespace of the pod is; unknown with a monitor that has it for a machine and doesn't say so.
    pub fn network_namespace(&self, has_machine: bool) -> Option<PathBuf> {
        match &self.network_namespace {
            Some(told) => Some(told.clone()),
            None if has_machine => None,
            None => Some(PathBuf::from(format!("/proc/{}/ns/net", self.init_pid))),
        }
    }
}

impl LiveApp {
    /// What it does.
    pub fn state(&self) -> AppState {
        match (self.outcome, self.started) {
            (Some(_), _) if self.next_start.is_some() => AppState::BackingOff,
            (Some(_), _) => AppState::Exited,
            (None, Some(_)) if self.paused => AppState::Paused,
            (None, Some(_)) => AppState::Running,
            (None, None) => AppState::Created,
        }
    }
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::BackingOff => "backing-off",
            Self::Exited => "exited",
            Self::Lost => "lost",
        })
    }
}
