//! What is known of the apps, and what is written down of their ends.

use std::path::Path;

use pod::control::{LastEnd, LiveApp, Response};
use pod::exit::{AppStatus, OutOfMemory, Outcome, PodExit, RECORD_VERSION};
use pod::manifest::{Lifetime, PodManifest};
use pod::seqpacket::SeqPacket;
use pod::timestamp::Timestamp;
use pod::{AppName, PodError, app_dir, record};

use crate::failure::StartFailure;
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
    /// Whether it is ready, where somebody looks after that.
    pub(super) ready: Option<bool>,
    /// When it starts again, if it is going to.
    pub(super) next_start: Option<Timestamp>,
    /// How the run before this one ended.
    pub(super) last_end: Option<LastEnd>,
    /// What was wrong when it was found not to be well, last.
    pub(super) complaint: Option<String>,
    /// Its last words.
    pub(super) message: Option<String>,
    /// Why it could not be started last, if it couldn't.
    pub(super) not_started: Option<String>,
    /// Whether it was found not to be well, and is to end for that.
    pub(super) is_condemned: bool,
    /// Whether its end has been written down.
    pub(super) stored: bool,
    /// How many of its processes the kernel has killed because memory was short, when that was looked at last.
    pub(super) oom_kills: Option<u64>,
    /// What had no memory left, if that is why it was killed.
    pub(super) out_of_memory: Option<OutOfMemory>,
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
            ready: None,
            next_start: None,
            last_end: None,
            complaint: None,
            message: None,
            not_started: None,
            is_condemned: false,
            stored: false,
            oom_kills: None,
            out_of_memory: None,
        }
    }

    /// One that the pod begins with: pod init is told to start it without a request.
    pub(super) fn of_start(name: AppName) -> Self {
        Self {
            starting: true,
            ..Self::new(name)
        }
    }

    /// One that the pod's supervisor starts when its turn has come.
    pub(super) fn of_supervised(name: AppName) -> Self {
        Self {
            ready: Some(false),
            ..Self::new(name)
        }
    }

    /// Whether it was started before, also if its program could not be executed then.
    pub(super) fn has_run(&self) -> bool {
        self.started.is_some() || self.end.is_some()
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
            ready: self.ready,
            next_start: self.next_start,
            last_end: self.last_end.clone(),
            complaint: self.not_started.clone().or(self.complaint.clone()),
            message: self.message.clone(),
            oom_kills: self.oom_kills,
            out_of_memory: self.out_of_memory,
        }
    }

    /// What was wrong, if it was ended for that.
    fn complaint_at_end(&self) -> Option<String> {
        self.complaint.clone().filter(|_| self.is_condemned)
    }

    /// That it was ended since it was not well, in words.
    pub(super) fn condemned(&self) -> Option<String> {
        let complaint = self.complaint_at_end()?;
        Some(format!("app {} was ended: {complaint}", self.name))
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
            oom_kills: self.oom_kills,
            out_of_memory: self.out_of_memory,
            message: self.message.clone(),
            complaint: self.not_started.clone().or(self.complaint_at_end()),
            restarts: self.restarts,
        };
        status.store(pod_dir, &self.name)?;
        self.stored = true;
        Ok(())
    }
}

/// Takes room for what is written down of the pod's end, and of its apps': they may fill the disk, or others do.
pub(super) fn reserve(manifest: &PodManifest, pod_dir: &Path) -> Result<(), PodError> {
    if !manifest.remove_on_exit {
        PodExit::reserve(pod_dir)?;
        for app in manifest.apps.iter() {
            AppStatus::reserve(pod_dir, &app.name)?;
        }
    }
    match manifest.lifetime {
        Lifetime::WithApps => Ok(()),
        Lifetime::UntilStopped => reserve_removals(pod_dir),
    }
}

/// Takes room for what it takes to let an app go.
pub(super) fn reserve_removals(pod_dir: &Path) -> Result<(), PodError> {
    record::reserve(&pod_dir.join(pod::layout::MANIFEST_FILE))?;
    app_dir::reserve_removal(pod_dir)
}

/// A reason, no longer than there is room for.
pub(super) fn brief(reason: &str) -> String {
    const REASON_MAX: usize = 4 << 10;
    let length = reason.floor_char_boundary(REASON_MAX);
    reason.get(..length).unwrap_or_default().to_owned()
}

/// A pod that has ended.
#[derive(Debug)]
pub(super) struct PodEnd {
    pub(super) manifest: PodManifest,
    pub(super) apps: Vec<AppRecord>,
    pub(super) started: Option<Timestamp>,
    pub(super) exit_code: i32,
    pub(super) failure: Option<String>,
    /// Whether it was asked to end, and has done so by the signal for that.
    pub(super) was_asked: bool,
    /// Whether somebody has asked for its end, whatever it was.
    pub(super) was_stopped: bool,
    /// Whether the host had no memory left for what the pod ran in.
    pub(super) was_out_of_memory: bool,
    /// Who waits for this end.
    pub(super) waiting: Vec<SeqPacket>,
}

impl PodEnd {
    /// Writes the exit records: all that can be written, whichever can't.
    pub(super) fn store(&mut self, pod_dir: &Path) -> Result<(), PodError> {
        let now = Timestamp::now();
        let mut result = Ok(());
        for app in &mut self.apps {
            if app.started.is_some() && app.end.is_none() {
                // An app whose end nobody reported went down with the pod.
                let killed = Outcome::Signaled {
                    signal: 9,
                    oom_killed: self.was_out_of_memory,
                };
                app.out_of_memory = self.was_out_of_memory.then_some(OutOfMemory::Host);
                app.end = Some((now, killed));
            }
            result = result.and(app.store(pod_dir));
        }
        let exit = PodExit {
            version: RECORD_VERSION,
            started: self.started,
            finished: now,
            exit_code: self.exit_code,
            failure: self.failure.as_deref().map(brief),
        };
        result.and(exit.store(pod_dir))
    }

    /// What to say of an end before the pod was ready, which somebody waited for.
    pub(super) fn before_ready(&self) -> StartFailure {
        let mut ends = self.apps.iter().filter_map(|app| Some((app, app.end?.1)));
        let why = match ends.find(|(_, outcome)| !outcome.is_success()) {
            Some(_) if self.was_stopped => "it was stopped".to_owned(),
            Some((app, outcome)) => format!(
                "app {} ended with exit code {}",
                app.name,
                outcome.exit_code()
            ),
            None if self.was_stopped => "it was stopped".to_owned(),
            None => "its apps have ended".to_owned(),
        };
        let why = self.failure.clone().unwrap_or(why);
        let pod = self.manifest.called();
        StartFailure::other(format!("pod {pod} was not ready when it ended: {why}"))
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
