//! Limits that change while the pod runs. The pod's manifest on disk is true at each moment.

use pod::AppName;
use pod::control::EventKind;
use pod::manifest::{Contradiction, Resources};

use super::event_loop::Monitor;
use super::isolator::Isolator;
use crate::failure::StartFailure;

impl Monitor {
    /// Gives an app all of these limits and no other.
    pub(super) fn update(
        &mut self,
        app: &AppName,
        resources: Resources,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        let record = self.known(app)?;
        offers(isolator, &resources)?;
        let pids = self.manifest.bounds.pids;
        // One that doesn't run gets a cgroup with its limits when it is started.
        let has_cgroup = record.runs_or_starts();
        let mut manifest = self.manifest.clone();
        let mut before = Resources::default();
        for entry in manifest.apps.iter_mut().filter(|entry| entry.name == *app) {
            before = std::mem::replace(&mut entry.resources, resources.clone());
        }
        if has_cgroup {
            isolator.update(app, &before.changed_to(&resources, pids))?;
        }
        if let Err(failure) = self.write(manifest) {
            if has_cgroup {
                // The manifest says what holds: back to that. What can't be set back is told by the first failure.
                let _ = isolator.update(app, &resources.changed_to(&before, pids));
            }
            return Err(failure);
        }
        self.emit(Some(app.clone()), EventKind::Updated);
        Ok(())
    }

    /// Changes those of an app's limits that are given.
    pub(super) fn limit_app(
        &mut self,
        app: &AppName,
        given: &Resources,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        let has_cgroup = self.known(app)?.runs_or_starts();
        let mut manifest = self.manifest.clone();
        let entry = manifest.apps.iter_mut().find(|entry| entry.name == *app);
        let Some(entry) = entry else {
            return Err(StartFailure::other(format!("there is no app {app}")));
        };
        let before = entry.resources.clone();
        let after = before.with(given).map_err(contradiction)?;
        offers(isolator, &after)?;
        entry.resources = after.clone();
        if has_cgroup {
            isolator.update(app, &asked(&before, &after, given))?;
        }
        if let Err(failure) = self.write(manifest) {
            if has_cgroup {
                // The manifest says what holds: back to that. What can't be set back is told by the first failure.
                let pids = self.manifest.bounds.pids;
                let _ = isolator.update(app, &after.changed_to(&before, pids));
            }
            return Err(failure);
        }
        self.emit(Some(app.clone()), EventKind::Updated);
        Ok(())
    }

    /// Changes those of the whole pod's limits that are given.
    pub(super) fn limit_pod(
        &mut self,
        given: &Resources,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        let mut manifest = self.manifest.clone();
        let before = manifest.resources.clone();
        let after = before.with(given).map_err(contradiction)?;
        manifest.resources = after.clone();
        let offered = isolator.features();
        let required = manifest.required_features();
        if let Some(feature) = required.iter().find(|feature| !offered.contains(feature)) {
            return Err(lacks(*feature));
        }
        isolator.update_pod(&asked(&before, &after, given))?;
        if let Err(failure) = self.write(manifest) {
            // As above.
            let none = pod::manifest::Limit::Unlimited;
            let _ = isolator.update_pod(&after.changed_to(&before, none));
            return Err(failure);
        }
        self.emit(None, EventKind::Updated);
        Ok(())
    }

    pub(super) fn pause(
        &mut self,
        app: &AppName,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        if self.known(app)?.paused {
            return Ok(());
        }
        isolator.freeze(app)?;
        if let Some(record) = self.record(app) {
            record.paused = true;
        }
        self.emit(Some(app.clone()), EventKind::Paused);
        Ok(())
    }

    pub(super) fn resume(
        &mut self,
        app: &AppName,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        if !self.known(app)?.paused {
            return Ok(());
        }
        isolator.thaw(app)?;
        if let Some(record) = self.record(app) {
            record.paused = false;
        }
        self.emit(Some(app.clone()), EventKind::Resumed);
        Ok(())
    }

    /// Thaws all that is frozen: it is about to be asked to end.
    pub(super) fn resume_all(&mut self, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        let paused = self.apps.iter().filter(|record| record.paused);
        let names: Vec<AppName> = paused.map(|record| record.name.clone()).collect();
        names
            .iter()
            .try_for_each(|name| self.resume(name, isolator))
    }
}

/// What of the limits is written anew: what was given, and what depends on it.
fn asked(before: &Resources, after: &Resources, given: &Resources) -> Resources {
    let mut asked = given.clone();
    if after.memory != before.memory {
        // One file may hold the difference of two of them.
        asked.memory.limit = given.memory.limit.or(after.memory.limit);
        asked.memory.swap = after.memory.swap;
    }
    if given.cpu.quota.is_some() || given.cpu.period.is_some() {
        asked.cpu.quota = after.cpu.quota;
        asked.cpu.period = after.cpu.period;
    }
    asked
}

fn contradiction(error: Contradiction) -> StartFailure {
    StartFailure::other(error.to_string())
}

fn offers(isolator: &dyn Isolator, resources: &Resources) -> Result<(), StartFailure> {
    let offered = isolator.features();
    let required = resources.required_features();
    match required.iter().find(|feature| !offered.contains(feature)) {
        Some(feature) => Err(lacks(*feature)),
        None => Ok(()),
    }
}

fn lacks(feature: pod::feature::Feature) -> StartFailure {
    StartFailure::other(format!(
        "these limits need `{feature}`, which the pod's isolator does not offer"
    ))
}
