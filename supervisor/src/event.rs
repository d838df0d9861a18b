//! What has happened.

use std::time::Duration;

use pod::AppName;

use crate::action::CheckId;
use crate::plan::AppPlan;

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The pod is there, and its apps may start.
    Begun,
    /// An app runs its program.
    Started(AppName),
    /// An app that was to start could not be started.
    NotStarted {
        /// Which.
        app: AppName,
        /// The exit code that stands for the failure.
        code: i32,
    },
    /// An app has ended.
    Exited {
        /// Which.
        app: AppName,
        /// Its exit code.
        code: i32,
    },
    /// What a check came to.
    Answered {
        /// Which.
        id: CheckId,
        /// What it came to.
        answer: Answer,
    },
    /// An app says by itself that it is ready (sd_notify(3), `READY=1`).
    Notified(AppName),
    /// The pod is to end.
    StopPod {
        /// Time that its apps have for it.
        grace: Duration,
    },
    /// One app is to end, and not to start again.
    StopApp {
        /// Which.
        app: AppName,
        /// Time that it has for it.
        grace: Duration,
    },
    /// Somebody has begun to start an app that didn't run.
    Starting(AppName),
    /// An app has joined the pod. It is started by whoever wants that.
    Added(Box<AppPlan>),
    /// An app that doesn't run has left the pod.
    Removed(AppName),
    /// Nothing but that time has passed.
    Time,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Well.
    Passed,
    /// Not well, or there was no answer in time.
    Failed,
    /// It could not be asked.
    Unknown,
}
