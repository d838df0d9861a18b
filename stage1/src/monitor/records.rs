//! What is known of the apps, and what is written down at the end.

use std::path::Path;

use pod::control::LiveApp;
use pod::exit::{AppStatus, Outcome, PodExit, RECORD_VERSION};
use pod::manifest::PodManifest;
use pod::timestamp::Timestamp;
use pod::{AppName, PodError};

use crate::link::Process;

/// One app, from its start to its end.
#[derive(Debug)]
pub(super) struct AppRecord {
    pub(super) name: AppName,
    pub(super) process: Option<Process>,
    pub(super) started: Option<Timestamp>,
    pub(super) end: Option<(Timestamp, Outcome)>,
}

impl AppRecord {
    pub(super) fn new(name: AppName) -> Self {
        Self {
            name,
            process: None,
            started: None,
            end: None,
        }
    }

    pub(super) fn live(&self) -> LiveApp {
        LiveApp {
            name: self.name.clone(),
            pid: self.process.as_ref().and_then(Process::pid),
            started: self.started,
            finished: self.end.map(|(finished, _)| finished),
            outcome: self.end.map(|(_, outcome)| outcome),
            paused: false,
            restarts: 0,
        }
    }
}

/// A pod that has ended.
#[derive(Debug)]
pub(super) struct PodEnd {
    pub(super) manifest: PodManifest,
    pub(super) apps: Vec<AppRecord>,
    pub(super) started: Option<Timestamp>,
    pub(super) exit_code: i32,
    pub(super) failure: Option<String>,
}

impl PodEnd {
    /// Writes the exit records.
    pub(super) fn store(&self, pod_dir: &Path) -> Result<(), PodError> {
        let now = Timestamp::now();
        for app in &self.apps {
            // An app whose end nobody reported went down with the pod.
            let lost = (
                now,
                Outcome::Signaled {
                    signal: 9,
                    oom_killed: false,
                },
            );
            let (finished, outcome) = app.end.unwrap_or(lost);
            let status = AppStatus {
                version: RECORD_VERSION,
                started: app.started,
                finished,
                outcome,
                exit_code: outcome.exit_code(),
            };
            status.store(pod_dir, &app.name)?;
        }
        let exit = PodExit {
            version: RECORD_VERSION,
            started: self.started,
            finished: now,
            exit_code: self.exit_code,
            failure: self.failure.clone(),
        };
        exit.store(pod_dir)
    }
}
