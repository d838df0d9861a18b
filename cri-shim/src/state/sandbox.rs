//! Sandboxes.

use std::collections::BTreeSet;
use std::sync::Arc;

use pod::control::SOCKET_FILE;
use pod::lock::PodLock;
use pod::manifest::PodManifest;
use pod::{Phase, PodEntry};

use super::cache::Known;
use super::marks::{has_been_up, is_stopping};
use crate::error::CriError;
use crate::identity::SandboxId;
use crate::record::SandboxRecord;
use crate::shim::Shim;

/// A sandbox, as it was when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    /// Its pod.
    pub(crate) entry: PodEntry,
    /// What it does.
    pub(crate) phase: SandboxPhase,
    pub(super) known: Arc<Known>,
}

/// What a sandbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SandboxPhase {
    /// A request that is not done is making it.
    Starting,
    /// It is up.
    Ready,
    /// It is being ended, or has ended.
    NotReady,
}

impl Sandbox {
    /// The sandbox that a pod is, if it is one.
    pub(super) fn of(entry: PodEntry, shim: &Shim) -> Result<Option<Self>, CriError> {
        let Some(known) = shim.cache.read(entry.uuid, &entry.path)? else {
            return Ok(None);
        };
        let run = shim.engine.directories.pod_run(entry.uuid);
        let phase = match PodLock::is_held(&entry.path)? {
            false => SandboxPhase::NotReady,
            true if is_stopping(&entry.path) => SandboxPhase::NotReady,
            // Its monitor listens before it takes containers.
            true if !has_been_up(&entry.path) => SandboxPhase::Starting,
            true if run.join(SOCKET_FILE).exists() => SandboxPhase::Ready,
            true => SandboxPhase::NotReady,
        };
        Ok(Some(Self {
            entry,
            phase,
            known,
        }))
    }

    /// Its id.
    pub(crate) fn id(&self) -> SandboxId {
        SandboxId(self.entry.uuid)
    }

    /// What was asked for.
    pub(crate) fn record(&self) -> &SandboxRecord {
        &self.known.record
    }

    /// The manifest of its pod.
    pub(crate) fn manifest(&self) -> &PodManifest {
        &self.known.manifest
    }

    /// When it was made, in nanoseconds since 1970.
    pub(crate) fn created_at(&self) -> i64 {
        nanoseconds(self.manifest().created)
    }
}

/// All sandboxes, but for those that are not made yet.
pub(crate) fn all(shim: &Shim) -> Result<Vec<Sandbox>, CriError> {
    let entries = shim.engine.pods().in_phase(Phase::Run)?;
    let uuids: BTreeSet<_> = entries.iter().map(|entry| entry.uuid).collect();
    let mut sandboxes = Vec::with_capacity(entries.len());
    for entry in entries {
        let sandbox = match Sandbox::of(entry.clone(), shim) {
            Ok(sandbox) => sandbox,
            Err(error) if error.is_shortage() => return Err(error),
            // One that is damaged keeps nobody from the others. Whatever its pod does, nothing can be done in it.
            Err(error) => shim.cache.last(entry.uuid, &error).map(|known| Sandbox {
                entry,
                phase: SandboxPhase::NotReady,
                known,
            }),
        };
        sandboxes.extend(sandbox.filter(|sandbox| sandbox.phase != SandboxPhase::Starting));
    }
    shim.cache.keep(&uuids);
    Ok(sandboxes)
}

/// A time as the interface has it.
pub(crate) fn nanoseconds(time: pod::timestamp::Timestamp) -> i64 {
    let since = std::time::SystemTime::from(time).duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}
