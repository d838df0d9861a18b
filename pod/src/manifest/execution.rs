//! The process that an app is: the OCI runtime specification's `process`, less what guards it.

use std::collections::BTreeMap;
use std::net::IpAddr;

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
    /// Texts in arguments and environment that addresses of the pod take the place of, once it has some.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub addresses: BTreeMap<String, PodAddress>,
}

/// Which addresses of a pod are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodAddress {
    /// The first.
    First,
    /// All, with commas between.
    All,
}

impl Execution {
    /// The same in a pod that has these addresses.
    #[must_use]
    pub fn with_addresses(&self, pod: &[IpAddr]) -> Self {
        let all: Vec<String> = pod.iter().map(ToString::to_string).collect();
        let replaced = |text: &String| {
            let mut text = text.clone();
            for (mark, which) in self.addresses.iter().filter(|(mark, _)| !mark.is_empty()) {
                let addresses = match which {
                    PodAddress::First => all.first().cloned().unwrap_or_default(),
                    PodAddress::All => all.join(","),
                };
                text = text.replace(mark, &addresses);
            }
            text
        };
        Self {
            args: self.args.iter().map(replaced).collect(),
            env: self.env.iter().map(replaced).collect(),
            ..self.clone()
        }
    }
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
    /// What becomes of the user's groups in the image's `/etc/group`; they are added if absent, unless `group` is given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_groups: Option<ImageGroups>,
    /// File mode creation mask; 022 if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub umask: Option<u32>,
}

/// What becomes of the groups that an image's `/etc/group` gives a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageGroups {
    /// The user has them.
    Added,
    /// The user doesn't have them.
    LeftOut,
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

macro_rules! rlimits {
    ($($name:ident = $word:literal,)+) => {
        /// What a resource limit is of, as setrlimit(2) names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs)] // setrlimit(2) says what each is
        pub enum RlimitKind {
            $(#[serde(rename = $word)] $name,)+
        }

        impl RlimitKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in setrlimit(2).
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// The one of that name, with or without `RLIMIT_`, in letters of any case.
            pub fn named(text: &str) -> Option<Self> {
                let upper = text.to_ascii_uppercase();
                let name = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);
                let mut all = Self::ALL.iter().copied();
                all.find(|kind| kind.word().strip_prefix("RLIMIT_") == Some(name))
            }
        }
    };
}

rlimits! {
    As = "RLIMIT_AS",
    Core = "RLIMIT_CORE",
    Cpu = "RLIMIT_CPU",
    Data = "RLIMIT_DATA",
    Fsize = "RLIMIT_FSIZE",
    Locks = "RLIMIT_LOCKS",
    Memlock = "RLIMIT_MEMLOCK",
    Msgqueue = "RLIMIT_MSGQUEUE",
    Nice = "RLIMIT_NICE",
    Nofile = "RLIMIT_NOFILE",
    Nproc = "RLIMIT_NPROC",
    Rss = "RLIMIT_RSS",
    Rtprio = "RLIMIT_RTPRIO",
    Rttime = "RLIMIT_RTTIME",
    Sigpending = "RLIMIT_SIGPENDING",
    Stack = "RLIMIT_STACK",
}
