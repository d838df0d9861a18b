//! What the monitor asks about the cgroups of apps, where pod init has them: in a machine of its own.

use pod::AppName;
use pod::manifest::Resources;
use pod::processes::PodProcess;
use serde::{Deserialize, Serialize};

use crate::cgroup::Statistics;

/// Most processes that are told of.
pub const PROCESSES_MAX: usize = 4096;
/// Most bytes of the command of each.
pub const COMMAND_MAX: usize = 512;

/// What is asked. All of an answer is about the apps that are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum CgroupRequest {
    /// What these apps use.
    Count {
        /// Which.
        apps: Vec<AppName>,
    },
    /// Those limits that are given are changed: of an app, or of all together.
    Limit {
        /// Which app.
        app: Option<AppName>,
        /// The limits.
        resources: Box<Resources>,
    },
    /// All processes of these apps are stopped, or none.
    Freeze {
        /// Which.
        apps: Vec<AppName>,
    },
    /// Which processes there are.
    Processes,
    /// They go on.
    Thaw {
        /// Which.
        apps: Vec<AppName>,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum CgroupAnswer {
    /// What was asked for is so.
    Done,
    /// What the apps use.
    Counted {
        /// Each.
        apps: Vec<(AppName, Statistics)>,
    },
    /// The processes, in the order of their numbers: not more than [`PROCESSES_MAX`].
    Processes {
        /// Each.
        processes: Vec<PodProcess>,
    },
    /// It could not be done, and all is as it was.
    Failed {
        /// Why.
        reason: String,
    },
}
