//! Containers.

use pod::app_dir::Mark;
use pod::exit::AppStatus;
use pod::lock::LOCK_FILE;
use pod::manifest::{App, MANIFEST_FILE};
use pod::network::NETWORK_FILE;
use pod::timestamp::Timestamp;
use pod::{AppName, app_dir};

use super::cache::KnownContainer;
use super::sandbox::{Sandbox, SandboxPhase, nanoseconds};
use crate::identity::ContainerId;
use crate::record::ContainerRecord;

/// A container of a sandbox that was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    /// Its sandbox.
    pub(crate) sandbox: &'a Sandbox,
    /// Its app.
    pub(crate) app: &'a App,
    /// What was asked for.
    pub(crate) record: &'a ContainerRecord,
    id: &'a ContainerId,
}

/// How a container was when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Look {
    /// What it did.
    pub(crate) phase: ContainerPhase,
    /// When it was started, in nanoseconds since 1970; 0 if it had not been.
    pub(crate) started_at: i64,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ContainerPhase {
    /// It has not been started.
    Created,
    /// It runs.
    Running,
    /// It has ended.
    Exited(ContainerEnd),
}

/// How a container has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ContainerEnd {
    /// As its monitor has written down.
    Recorded(AppStatus),
    /// Nobody has written it down: its pod was killed. Since then, in nanoseconds since 1970.
    Lost(i64),
}

impl Sandbox {
    /// Its containers.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container<'_>> {
        let apps = self.known.manifest.apps.iter();
        let both = apps.zip(&self.known.containers);
        both.filter_map(|(app, known)| Some(Container::new(self, app, known.as_ref()?)))
    }

    /// Its container of this name.
    pub(crate) fn container(&self, app: &AppName) -> Option<Container<'_>> {
        self.containers().find(|one| one.app.name == *app)
    }
}

impl<'a> Container<'a> {
    fn new(sandbox: &'a Sandbox, app: &'a App, known: &'a KnownContainer) -> Self {
        Self {
            sandbox,
            app,
            record: &known.record,
            id: &known.id,
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &'a ContainerId {
        self.id
    }

    /// How it is now; `None` if it has been removed meanwhile. Look once, and tell all by that: what is looked at twice may
    /// have gone in between.
    pub(crate) fn look(&self) -> Option<Look> {
        let (pod, app) = (&self.sandbox.entry.path, &self.app.name);
        // A torn record says as little as none.
        let ended = AppStatus::load(pod, app).ok().flatten();
        // None of one that is gone: what joins a pod that runs has a mark until its directory goes.
        let mark = app_dir::mark(pod, app)?;
        let recorded = ended.as_ref().and_then(|status| status.started);
        let started_at = match mark {
            Mark::Started(time) => nanoseconds(Timestamp::from(time)).max(1),
            Mark::Created | Mark::Starting => recorded.map_or(0, nanoseconds),
        };
        let is_held = || match self.sandbox.phase {
            SandboxPhase::Ready | SandboxPhase::Starting => true,
            SandboxPhase::NotReady => is_locked(pod),
        };
        let phase = match (ended, mark) {
            (Some(status), _) => ContainerPhase::Exited(ContainerEnd::Recorded(status)),
            (None, Mark::Created) => ContainerPhase::Created,
            // It doesn't run yet.
            (None, Mark::Starting) if is_held() => ContainerPhase::Created,
            (None, Mark::Started(_)) if is_held() => ContainerPhase::Running,
            // When its monitor was killed. How far a start had come then, nobody knows.
            (None, Mark::Starting | Mark::Started(_)) => {
                ContainerPhase::Exited(ContainerEnd::Lost(self.lost_since()))
            }
        };
        Some(Look { phase, started_at })
    }

    /// What it does now; `None` if it has been removed meanwhile.
    pub(crate) fn phase(&self) -> Option<ContainerPhase> {
        self.look().map(|look| look.phase)
    }

    /// When its monitor was last known to be there, as far as files tell that this writes: never before it was started.
    fn lost_since(&self) -> i64 {
        let pod = &self.sandbox.entry.path;
        let log = self.app.log.as_ref().and_then(|log| log.path.clone());
        let files = [LOCK_FILE, MANIFEST_FILE, NETWORK_FILE].map(|file| pod.join(file));
        let written = files.into_iter().chain(log).filter_map(|file| {
            let file = std::fs::symlink_metadata(file);
            file.and_then(|file| file.modified()).ok()
        });
        let started = match app_dir::mark(pod, &self.app.name) {
            Some(Mark::Started(time)) => Some(time),
            _ => None,
        };
        let times = written.chain(started).map(Timestamp::from).map(nanoseconds);
        times.fold(self.record.created_at.max(1), i64::max)
    }
}

/// Whether the pod still runs, though it is being stopped.
fn is_locked(pod: &std::path::Path) -> bool {
    pod::lock::PodLock::is_held(pod).unwrap_or(false)
}
