//! What the monitor asks about the cgroups of apps, where pod init has them: in a machine of its own.

use pod::AppName;
use pod::manifest::Resources;
use serde::{Deserialize, Serialize};

use crate::cgroup::Statistics;

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
    /// It could not be done, and all is as it was.
    Failed {
        /// Why.
        reason: String,
    },
}
