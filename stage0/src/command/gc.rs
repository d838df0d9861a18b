//! `fairing gc`: removes what has ended, what was given up and what nobody needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use pod::exit::PodExit;
use pod::manifest::PodManifest;
use pod::timestamp::Timestamp;
use pod::{LockedPod, Phase, PodEntry, PodUuid, PodsDir, State};

use super::Subcommand;
use crate::arguments::duration;
use crate::context::Context;
use crate::failure::Failure;
use crate::image_collection::{collect, summary, warn};
use crate::image_use::note_uses;
use crate::output;
use crate::pod_removal::{lost_race, remove};

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// How long pods are kept after their end
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30m")]
    grace_period: Duration,
    /// How long prepared pods are kept
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
    expire_prepared: Duration,
}

impl Subcommand for Gc {
    const NAME: &'static str = "gc";
    const ABOUT: &'static str =
        "Remove pods that have ended, what killed commands left, and unused layers";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut sweep = Sweep {
            context,
            pods: context.pods(),
            first: None,
            failed: Vec::new(),
        };
        // What pods tell of their images is gone with them.
        if let Err(failure) = note_uses(context) {
            sweep.failed("images", failure);
        }
        sweep.aborted();
        sweep.phase(Phase::Run, |entry| {
            entry.state().is_ok_and(|state| state == State::Exited)
                && ended(entry).elapsed() >= self.grace_period
        });
        sweep.phase(Phase::Prepared, |entry| {
            prepared(entry).elapsed() >= self.expire_prepared
        });
        sweep.phase(Phase::Garbage, |_| true);
        sweep.networks();
        sweep.images();
        match sweep.first {
            None => Ok(0),
            Some(failure) => Err(Failure::Printed {
                first: Box::new(failure),
            }),
        }
    }
}

struct Sweep<'a> {
    context: &'a Context,
    pods: PodsDir,
    first: Option<Failure>,
    /// Pods that can't be removed.
    failed: Vec<PodUuid>,
}

impl Sweep<'_> {
    /// One broken pod must not keep the others.
    fn failed(&mut self, what: &str, failure: Failure) {
        let line = failure.line();
        // Many say themselves what they are about.
        let line = match line.starts_with("pod ") || line.starts_with("network ") {
            true => line,
            false => format!("{what}: {line}"),
        };
        output::error(&format!("fairing: {line}\n"));
        self.first.get_or_insert(failure);
    }

    fn aborted(&mut self) {
        match self.pods.lock_aborted() {
            Ok(aborted) => aborted.into_iter().for_each(|pod| self.remove(pod)),
            Err(error) => self.failed("pods whose preparation was interrupted", error.into()),
        }
    }

    fn phase(&mut self, phase: Phase, is_due: impl Fn(&PodEntry) -> bool) {
        let entries = match self.pods.in_phase(phase) {
            Ok(entries) => entries,
            Err(error) => return self.failed("pods", error.into()),
        };
        for entry in entries.into_iter().filter(is_due) {
            // It failed in the phase before.
            if self.failed.contains(&entry.uuid) {
                continue;
            }
            match self.pods.lock(&entry) {
                Ok(pod) => self.remove(pod),
                Err(error) if lost_race(&error) => {}
                Err(error) => self.failed(&of(entry.uuid), error.into()),
            }
        }
    }

    fn remove(&mut self, pod: LockedPod) {
        let uuid = pod.uuid();
        let removed =
            remove(pod, self.context).and_then(|()| output::line(&format!("{} removed", of(uuid))));
        if let Err(failure) = removed {
            self.failed.push(uuid);
            self.failed(&of(uuid), failure);
        }
    }

    /// What pods hold that were killed and are kept for a while yet.
    fn networks(&mut self) {
        for failure in crate::network_gc::clear(self.context, &self.failed) {
            self.failed("networks", failure);
        }
    }

    fn images(&mut self) {
        match collect(self.context, None, false) {
            Ok(Some(report)) => {
                warn(&report);
                if let Some(line) = summary(&report, false)
                    && let Err(failure) = output::line(&line)
                {
                    self.failed("images", failure);
                }
            }
            Ok(None) => {}
            Err(failure) => self.failed("images", failure),
        }
    }
}

fn of(uuid: PodUuid) -> String {
    format!("pod {uuid}")
}

/// When a pod ended: as its record says, else when its folder was last changed.
fn ended(entry: &PodEntry) -> Timestamp {
    match PodExit::load(&entry.path) {
        Ok(Some(exit)) => exit.finished,
        _ => changed(&entry.path),
    }
}

/// When a pod was prepared.
fn prepared(entry: &PodEntry) -> Timestamp {
    match PodManifest::load(&entry.path) {
        Ok(manifest) => manifest.created,
        Err(_) => changed(&entry.path),
    }
}

fn changed(path: &Path) -> Timestamp {
    match fs::symlink_metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => time.into(),
        // It is gone; whoever comes to lock it will see.
        Err(_) => Timestamp::now(),
    }
}
