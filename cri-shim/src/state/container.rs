//! Containers.

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

    /// When it was started, in nanoseconds since 1970; 0 if it has not been.
    pub(crate) fn started_at(&self) -> i64 {
        let started = app_dir::started_at(&self.sandbox.entry.path, &self.app.name);
        started.map_or(0, |time| nanoseconds(Timestamp::from(time)).max(1))
    }

    /// What it does now.
    pub(crate) fn phase(&self) -> ContainerPhase {
        let pod = &self.sandbox.entry.path;
        // A torn record says as little as none.
        if let Ok(Some(status)) = AppStatus::load(pod, &self.app.name) {
            return ContainerPhase::Exited(ContainerEnd::Recorded(status));
        }
        if app_dir::is_created(pod, &self.app.name) {
            return ContainerPhase::Created;
        }
        match self.sandbox.phase {
            SandboxPhase::Ready | SandboxPhase::Starting => ContainerPhase::Running,
            SandboxPhase::NotReady if is_locked(pod) => ContainerPhase::Running,
            SandboxPhase::NotReady => ContainerPhase::Exited(ContainerEnd::Lost(self.lost_since())),
        }
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
        let times = written.map(Timestamp::from).map(nanoseconds);
        let known = self.record.created_at.max(self.started_at()).max(1);
        times.fold(known, i64::max)
    }
}

/// Whether the pod still runs, though it is being stopped.
fn is_locked(pod: &std::path::Path) -> bool {
    pod::lock::PodLock::is_held(pod).unwrap_or(false)
}
