//! What there is at one moment, and what an event tells of it.

use std::collections::BTreeMap;

use pod::PodEntry;

use super::compare::{Phase, Phases};
use crate::api::{ContainerEventResponse, ContainerEventType, ContainerStatus};
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, ContainerPhase, Sandbox, SandboxPhase};
use crate::{container, disk, sandbox};

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// What each thing does.
    pub(super) phases: Phases,
    sandboxes: Vec<Sandbox>,
    /// In which sandbox each thing is.
    places: BTreeMap<String, usize>,
}

impl Snapshot {
    /// Looks.
    pub(super) fn take(shim: &Shim) -> Result<Self, CriError> {
        let mut snapshot = Self {
            sandboxes: state::all(shim)?,
            ..Self::default()
        };
        for (place, sandbox) in snapshot.sandboxes.iter().enumerate() {
            let phase = match sandbox.phase {
                SandboxPhase::Ready | SandboxPhase::Starting => Phase::Running,
                SandboxPhase::NotReady => Phase::Ended,
            };
            let own = (sandbox.id().to_string(), phase);
            // One that has been removed meanwhile is not there.
            let containers = sandbox.containers().filter_map(|container| {
                let phase = match container.phase()? {
                    ContainerPhase::Created => Phase::Created,
                    ContainerPhase::Running => Phase::Running,
                    ContainerPhase::Exited(_) => Phase::Ended,
                };
                Some((container.id().to_string(), phase))
            });
            for (id, phase) in containers.chain([own]) {
                snapshot.places.insert(id.clone(), place);
                snapshot.phases.insert(id, phase);
            }
        }
        Ok(snapshot)
    }

    /// The pods that may have something to tell: those that are being made, too.
    pub(super) fn entries(shim: &Shim) -> Result<Vec<PodEntry>, CriError> {
        Ok(shim.engine.pods().in_phase(pod::Phase::Run)?)
    }

    /// The sandbox that something is in.
    fn sandbox_of(&self, id: &str) -> Option<&Sandbox> {
        self.sandboxes.get(*self.places.get(id)?)
    }

    /// An event about something that there is, or was `before`: with how its sandbox is, or was, if that is gone as well.
    pub(super) fn event(
        &self,
        before: &Self,
        id: &str,
        kind: ContainerEventType,
    ) -> ContainerEventResponse {
        let was_in = before.sandbox_of(id);
        let of_gone = || self.sandbox_of(&was_in?.id().to_string());
        let sandbox = self.sandbox_of(id).or_else(of_gone);
        let of_sandbox = match (sandbox, was_in) {
            (Some(sandbox), _) => Some(sandbox::told(sandbox)),
            (None, Some(gone)) => Some(sandbox::told_of_gone(gone)),
            (None, None) => None,
        };
        ContainerEventResponse {
            container_id: id.to_owned(),
            container_event_type: kind as i32,
            created_at: disk::now(),
            pod_sandbox_status: of_sandbox,
            containers_statuses: sandbox.map(statuses).unwrap_or_default(),
        }
    }
}

fn statuses(sandbox: &Sandbox) -> Vec<ContainerStatus> {
    let containers = sandbox.containers();
    containers.filter_map(|one| container::told(&one)).collect()
}
