//! The process that an app is: the OCI runtime specification's `process`, less what guards it.

use serde::{Deserialize, Serialize};

use super::path::AppPath;
use super::presence::is_default;

/// Where programs are looked up if nothing sets `PATH`.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is executed, and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Execution {
    /// Program and arguments. The program is looked up in the app's `PATH` unless it holds a slash.
    pub args: Vec<String>,
    /// Environment, `KEY=VALUE` each, later ones override earlier ones.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: AppPath,
    /// Whose process it is.
    #[serde(skip_serializing_if = "is_default", default)]
    pub user: User,
    /// Whether it gets a pseudo-terminal.
    #[serde(skip_serializing_if = "is_default", default)]
    pub terminal: bool,
    /// The size of that terminal, if it is not the user's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub console_size: Option<ConsoleSize>,
    /// Whether its standard input is the monitor's; else it is empty.
    #[serde(skip_serializing_if = "is_default", default)]
    pub stdin: bool,
    /// Whether its standard input ends when the first client that attached to it has gone.
    #[serde(skip_serializing_if = "is_default", default)]
    pub stdin_once: bool,
    /// Its resource limits; one that is absent is the monitor's.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rlimits: Vec<Rlimit>,
    /// How soon the kernel kills it when memory is short: -1000 (never) to 1000.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oom_score_adj: Option<i16>,
}

/// A user, as the image knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// A name or number of the image's `/etc/passwd`; root if empty.
    #[serde(skip_serializing_if = "is_default", default)]
    pub user: String,
    /// A name or number of the image's `/etc/group`; the user's primary group if empty.
    #[serde(skip_serializing_if = "is_default", default)]
    pub group: String,
    /// Groups beside these.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additional_gids: Vec<u32>,
    /// The same, by names of the image's `/etc/group`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub additional_groups: Vec<String>,
    /// File mode creation mask; 022 if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub umask: Option<u32>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConsoleSize {
    /// Lines.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

/// A resource limit, setrlimit(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rlimit {
    /// Of what.
    #[serde(rename = "type")]
    pub kind: RlimitKind,
    /// What is enforced.
    pub soft: u64,
    /// How far the process may raise that.
    pub hard: u64,
}

/// What a resource limit is of, as setrlimit(2) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // setrlimit(2) says what each is
pub enum RlimitKind {
    #[serde(rename = "RLIMIT_AS")]
    As,
    #[serde(rename = "RLIMIT_CORE")]
    Core,
    #[serde(rename = "RLIMIT_CPU")]
    Cpu,
    #[serde(rename = "RLIMIT_DATA")]
    Data,
    #[serde(rename = "RLIMIT_FSIZE")]
    Fsize,
    #[serde(rename = "RLIMIT_LOCKS")]
    Locks,
    #[serde(rename = "RLIMIT_MEMLOCK")]
    Memlock,
    #[serde(rename = "RLIMIT_MSGQUEUE")]
    Msgqueue,
    #[serde(rename = "RLIMIT_NICE")]
    Nice,
    #[serde(rename = "RLIMIT_NOFILE")]
    Nofile,
    #[serde(rename = "RLIMIT_NPROC")]
    Nproc,
    #[serde(rename = "RLIMIT_RSS")]
    Rss,
    #[serde(rename = "RLIMIT_RTPRIO")]
    Rtprio,
    #[serde(rename = "RLIMIT_RTTIME")]
    Rttime,
    #[serde(rename = "RLIMIT_SIGPENDING")]
    Sigpending,
    #[serde(rename = "RLIMIT_STACK")]
    Stack,
}
