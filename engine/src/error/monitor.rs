//! Why a pod's monitor can't be talked to.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use pod::PodUuid;

/// Why a pod's monitor can't be talked to, or its isolator does not do its work.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// It runs and does not listen.
    #[error("pod {0} is running, but its monitor does not listen")]
    Deaf(PodUuid),
    /// It listens, and as many connections as can wait do so already.
    #[error("the monitor of pod {uuid} took no connection within {} s", .patience.as_secs())]
    Busy {
        /// The pod.
        uuid: PodUuid,
        /// How long a place was waited for.
        patience: Duration,
    },
    /// An earlier release made it, which did not know of apps that come and go.
    #[error("the monitor of pod {0} is of an earlier release, and takes no apps")]
    Earlier(PodUuid),
    /// Somebody has stopped it.
    #[error("the pod's monitor is stopped (process {0})")]
    Stopped(i32),
    /// It does not answer.
    #[error("the pod's monitor did not answer within {} s", .0.as_secs())]
    Mute(Duration),
    /// The kernel can't tell when something happens.
    #[error("cannot wait: {0}")]
    Wait(io::Error),
    /// The kernel can't tell who it is.
    #[error("cannot tell who the monitor is: {0}")]
    Unknown(io::Error),
    /// It can't be killed.
    #[error("cannot kill the monitor: {0}")]
    Kill(io::Error),
    /// It can't be started.
    #[error("cannot start the pod's monitor: {source}")]
    Spawn {
        /// Why.
        source: io::Error,
    },
    /// The isolator has not told whether the pod is up.
    #[error("the isolator ended before the pod was up")]
    NoReport,
    /// What it has told makes no sense.
    #[error("the isolator's report can't be understood: {0}")]
    Report(String),
    /// It has ended, and could not take its pod out of a network: a plugin hung.
    #[error("pod {uuid} {}: {said}", Clearing::End)]
    Hung {
        /// The pod.
        uuid: PodUuid,
        /// What it has said.
        said: String,
    },
    /// The entry point that clears what a pod left has failed.
    #[error("pod {uuid} {clearing}: {}", reason(.program, .status, .said))]
    Gc {
        /// The pod.
        uuid: PodUuid,
        /// What that was for.
        clearing: Clearing,
        /// The entry point.
        program: OsString,
        /// How it ended.
        status: ExitStatus,
        /// What it said; empty if nothing.
        said: String,
    },
}

/// What the clearing of a pod was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// It was to be removed.
    Removal,
    /// It has ended, and stays.
    End,
}

impl fmt::Display for Clearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removal => "can't be removed",
            Self::End => "has ended, but not all that it held could be given back",
        })
    }
}

fn reason(program: &OsString, status: &ExitStatus, said: &str) -> String {
    match said {
        "" => format!(
            "the gc entry point of {} failed: {status}",
            program.display()
        ),
        said => said.to_owned(),
    }
}
