//! What is known of the apps, and what is written down of their ends.

use std::path::Path;

use pod::control::{LiveApp, Response};
use pod::exit::{AppStatus, Outcome, PodExit, RECORD_VERSION};
use pod::manifest::PodManifest;
use pod::seqpacket::SeqPacket;
use pod::timestamp::Timestamp;
use pod::{AppName, PodError};

use crate::link::Process;
use crate::link::stream::StreamId;

/// One app.
#[derive(Debug)]
pub(super) struct AppRecord {
    pub(super) name: AppName,
    pub(super) process: Option<Process>,
    pub(super) terminal: Option<StreamId>,
    /// Pod init has been told to start it, and has not answered yet.
    pub(super) starting: bool,
    pub(super) started: Option<Timestamp>,
    pub(super) end: Option<(Timestamp, Outcome)>,
    pub(super) paused: bool,
    pub(super) restarts: u64,
    /// Whether its end has been written down.
    pub(super) stored: bool,
}

impl AppRecord {
    pub(super) fn new(name: AppName) -> Self {
        Self {
            name,
            process: None,
            terminal: None,
            starting: false,
            started: None,
            end: None,
            paused: false,
            restarts: 0,
            stored: false,
        }
    }

    /// One that the pod begins with: pod init is told to start it without a request.
    pub(super) fn of_start(name: AppName) -> Self {
        Self {
            starting: true,
            ..Self::new(name)
        }
    }

    /// Whether it can be asked to end.
    pub(super) fn runs_or_starts(&self) -> bool {
        self.starting || self.is_running()
    }

    /// Whether it runs, as far as pod init has told.
    pub(super) fn is_running(&self) -> bool {
        self.started.is_some() && self.end.is_none()
    }

    pub(super) fn live(&self) -> LiveApp {
        LiveApp {
            name: self.name.clone(),
            pid: self.process.as_ref().and_then(Process::pid),
            started: self.started,
            finished: self.end.map(|(finished, _)| finished),
            outcome: self.end.map(|(_, outcome)| outcome),
            paused: self.paused,
            restarts: self.restarts,
        }
    }

    /// Writes down how it has ended.
    pub(super) fn store(&mut self, pod_dir: &Path) -> Result<(), PodError> {
        let Some((finished, outcome)) = self.end.filter(|_| !self.stored) else {
            return Ok(());
        };
        let status = AppStatus {
            version: RECORD_VERSION,
            started: self.started,
            finished,
            outcome,
            exit_code: outcome.exit_code(),
        };
        status.store(pod_dir, &self.name)?;
        self.stored = true;
        Ok(())
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
    /// Who waits for this end.
    pub(super) waiting: Vec<SeqPacket>,
}

impl PodEnd {
    /// Writes the exit records.
    pub(super) fn store(&mut self, pod_dir: &Path) -> Result<(), PodError> {
        let now = Timestamp::now();
        for app in &mut self.apps {
            if app.started.is_some() && app.end.is_none() {
                // An app whose end nobody reported went down with the pod.
                let killed = Outcome::Signaled {
                    signal: 9,
                    oom_killed: false,
                };
                app.end = Some((now, killed));
            }
            app.store(pod_dir)?;
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

    /// Tells those who wait that the pod has ended, when all of that is written down.
    pub(super) fn tell(&self) {
        for client in &self.waiting {
            // Who has left does not want to know.
            let _ = client.send(
                &Response::PodEnded {
                    exit_code: self.exit_code,
                },
                &[],
            );
        }
    }
}
