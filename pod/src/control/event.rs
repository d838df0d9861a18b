//! What happens in a running pod.

use serde::{Deserialize, Serialize};

use crate::exit::Outcome;
use crate::id::AppName;
use crate::timestamp::Timestamp;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// To which app; to the pod if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app: Option<AppName>,
    /// What.
    #[serde(rename = "happening")]
    pub kind: EventKind,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// An app has joined the pod.
    Added,
    /// An app executes its program; or all that the pod began with do.
    Started,
    /// An app has ended.
    Exited {
        /// How.
        outcome: Outcome,
    },
    /// An app has left the pod.
    Removed,
    /// An app's limits have changed.
    Updated,
    /// Processes were frozen.
    Paused,
    /// They were thawed.
    Resumed,
    /// The pod is being ended.
    Stopping,
    /// An app, or the pod, is ready to serve.
    Ready,
    /// It is no longer.
    NotReady,
    /// A probe of an app's, or a hook, has failed once. What becomes of that depends on how often it does.
    CheckFailed {
        /// Which of them.
        check: HealthCheck,
    },
    /// All apps are ended, and start again in their order: by the rule of this one.
    RestartingAll,
    /// An app is ended because it is not well.
    Unhealthy {
        /// What has said so.
        by: HealthCheck,
    },
    /// An app that has ended starts again after a while.
    BackingOff {
        /// How long it waits, in milliseconds.
        delay_ms: u64,
    },
}

/// What says whether an app is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheck {
    /// Its startup probe.
    Startup,
    /// Its readiness probe.
    Readiness,
    /// Its liveness probe.
    Liveness,
    /// Its hook after the start.
    PostStart,
    /// Its hook before the end.
    PreStop,
}
