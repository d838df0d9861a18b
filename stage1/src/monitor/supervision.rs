//! What the monitor keeps of a pod whose apps are looked after. A pod that needs none of this has none.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pod::AppName;
use pod::activation::{ActivationSocket, ActivationSockets, SocketName};
use pod::manifest::PodManifest;
use supervisor::{EndCause, Plan, Supervisor};

use super::checks::Checks;
use crate::failure::StartFailure;

/// What a pod has whose apps need more than one start each, all at once.
#[derive(Debug)]
pub(super) struct Supervision {
    pub(super) supervisor: Supervisor,
    /// Its probes and hooks on their way.
    pub(super) checks: Checks,
    /// What a service manager hands to the apps: to each of their starts.
    sockets: BTreeMap<AppName, Vec<ActivationSocket>>,
    /// Whether the pod has been ready.
    pub(super) was_ready: bool,
    /// Why the pod ends, once it does.
    pub(super) end: Option<EndCause>,
    /// Why the last app did not start that did not.
    pub(super) not_started: Option<StartFailure>,
    /// The pod's exit code, once no app runs any more.
    pub(super) exit_code: Option<i32>,
}

/// What the end of pod init means to a supervised pod.
#[derive(Debug)]
pub(super) enum PodOutcome {
    /// It has run, with this exit code.
    Ended(i32),
    /// Its first apps could not be started.
    NotStarted(StartFailure),
}

impl Supervision {
    /// What this pod needs; `None` if its apps just start.
    pub(super) fn of(manifest: &PodManifest) -> Option<Self> {
        Plan::of(manifest).map(|plan| Self {
            supervisor: Supervisor::new(plan),
            checks: Checks::default(),
            sockets: BTreeMap::new(),
            was_ready: false,
            end: None,
            not_started: None,
            exit_code: None,
        })
    }

    /// The same with what a service manager hands to the apps.
    pub(super) fn with_sockets(
        mut self,
        manifest: &PodManifest,
        sockets: ActivationSockets,
    ) -> Self {
        let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
        let assigned = sockets.assign(&names);
        let named = names.into_iter().cloned().zip(assigned);
        self.sockets = named.filter(|(_, sockets)| !sockets.is_empty()).collect();
        self
    }

    /// The sockets of one start of an app.
    pub(super) fn sockets_of(
        &self,
        app: &AppName,
    ) -> Result<(Vec<SocketName>, Vec<OwnedFd>), StartFailure> {
        let sockets = self.sockets.get(app).into_iter().flatten();
        let copies = sockets.map(|socket| Ok((socket.name.clone(), socket.fd.try_clone()?)));
        let copies: std::io::Result<Vec<_>> = copies.collect();
        let copies = copies.map_err(StartFailure::os(format_args!(
            "duplicate the sockets of app {app}"
        )))?;
        Ok(copies.into_iter().unzip())
    }

    /// When something is to be done, though nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.supervisor
            .due()
            .into_iter()
            .chain(self.checks.due())
            .min()
    }

    /// Whether the pod has been ready.
    pub(super) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// What it comes to that pod init has ended with this code.
    pub(super) fn outcome(&mut self, code: i32) -> PodOutcome {
        let is_early = !self.was_ready && matches!(self.end, Some(EndCause::NotStarted(_)));
        match self.not_started.take().filter(|_| is_early) {
            Some(failure) => PodOutcome::NotStarted(failure),
            None => PodOutcome::Ended(self.exit_code.unwrap_or(code)),
        }
    }
}
