//! What has to be done.

use std::time::Duration;

use pod::AppName;

/// The number of a probe's question, or of a hook, on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub(crate) u64);

/// What is asked, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckKind {
    /// The startup probe.
    Startup,
    /// The readiness probe.
    Readiness,
    /// The liveness probe.
    Liveness,
    /// The hook after the start.
    PostStart,
    /// The hook before the end.
    PreStop,
}

/// What has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start this app, for the first time or again.
    Start(AppName),
    /// Send this app its stop signal, and SIGKILL when the time is up; at once if there is none.
    Stop {
        /// Which.
        app: AppName,
        /// Time from the stop signal to SIGKILL.
        grace: Duration,
    },
    /// Ask what the app's manifest says for this kind, and answer by [`crate::Event::Answered`].
    Check {
        /// The number that the answer bears.
        id: CheckId,
        /// Which app.
        app: AppName,
        /// What of it.
        kind: CheckKind,
        /// How long the answer may take; it has failed then. A hook may take as long as it likes.
        timeout: Option<Duration>,
    },
    /// Nobody waits for this answer any more: end what was started for it.
    Abandon(CheckId),
    /// This app is ready to serve now, or no longer.
    AppReady {
        /// Which.
        app: AppName,
        /// Whether it is.
        ready: bool,
    },
    /// The pod is ready now, or no longer.
    PodReady(bool),
    /// This app is ended because it is not well: for whoever keeps a record.
    Unhealthy {
        /// Which.
        app: AppName,
        /// What said so.
        by: CheckKind,
    },
    /// This app is going to start again after this time: for whoever keeps a record.
    BackingOff {
        /// Which.
        app: AppName,
        /// How long it waits.
        delay: Duration,
    },
    /// All apps are ended, and start again in their order, by the rule of this one: for whoever keeps a record.
    RestartingAll(AppName),
    /// The pod has begun to end, by itself: for whoever keeps a record.
    Ending(EndCause),
    /// No app runs any more, and none will: the pod is over.
    Over {
        /// The pod's exit code.
        exit_code: i32,
    },
}

/// Why a pod ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// It was asked to.
    Asked,
    /// All of its apps have done what they were there for.
    Done,
    /// An app has failed, and that is the end of the pod.
    Failed(AppName),
    /// An app could not be started for the first time.
    NotStarted(AppName),
    /// It has run for as long as it may.
    Deadline,
}
