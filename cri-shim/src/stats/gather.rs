//! Asks for all numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::pods::usage::{Measured, measure};
use pod::PodUuid;
use pod::control::AppStats;

use crate::disk;
use crate::shim::Shim;
use crate::state::{Container, Sandbox, SandboxPhase};

/// How long is waited for first measurements of what containers have written.
const PATIENCE: Duration = Duration::from_millis(200);

/// The numbers of some sandboxes.
#[derive(Debug)]
pub(crate) struct Gathered {
    measured: BTreeMap<PodUuid, Measured>,
    written: BTreeMap<PathBuf, disk::Measured>,
}

/// Gathers the numbers of these sandboxes, and what all of their containers have written.
pub(crate) fn gather<'a>(
    shim: &Shim,
    sandboxes: impl IntoIterator<Item = &'a Sandbox>,
) -> Gathered {
    let mut entries = Vec::new();
    let mut paths = Vec::new();
    for sandbox in sandboxes {
        if sandbox.phase == SandboxPhase::Ready {
            entries.push(sandbox.entry.clone());
        }
        paths.extend(
            sandbox
                .containers()
                .map(|container| written_path(&container)),
        );
    }
    let (measured, _) = measure(&entries, &shim.engine.directories);
    let sizes = shim.disk.measure(&paths, PATIENCE);
    let written = paths.into_iter().zip(sizes);
    Gathered {
        measured,
        written: written
            .filter_map(|(path, size)| Some((path, size?)))
            .collect(),
    }
}

/// Where a container's changes of its image are.
fn written_path(container: &Container<'_>) -> PathBuf {
    pod::layout::app_dir(&container.sandbox.entry.path, &container.app.name).join("upper")
}

impl Gathered {
    /// What the monitor of a sandbox says.
    pub(crate) fn of_sandbox(&self, sandbox: &Sandbox) -> Option<&Measured> {
        self.measured.get(&sandbox.entry.uuid)
    }

    /// What it says of a container, if that runs.
    pub(crate) fn of_container(&self, container: &Container<'_>) -> Option<&AppStats> {
        let mut apps = self.of_sandbox(container.sandbox)?.stats.apps.iter();
        apps.find(|stats| stats.app == container.app.name)
    }

    /// What a container has written.
    pub(crate) fn written(&self, container: &Container<'_>) -> Option<disk::Measured> {
        self.written.get(&written_path(container)).copied()
    }

    /// When the numbers of a sandbox were counted, in nanoseconds since 1970.
    pub(crate) fn time(&self, sandbox: &Sandbox) -> Option<i64> {
        let time = SystemTime::from(self.of_sandbox(sandbox)?.stats.time);
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok()
    }
}
