//! Limits that change while the pod runs. The pod's manifest on disk is true at each moment.

use pod::AppName;
use pod::control::EventKind;
use pod::manifest::{Contradiction, Resources};

use super::event_loop::Monitor;
use super::in_machine::of_apps_together;
use super::isolator::Isolator;
use super::records::AppRecord;
use super::requests::{Answer, DONE};
use crate::failure::StartFailure;

impl Monitor {
    /// Gives an app all of these limits and no other.
    pub(super) fn update(
        &mut self,
        index: usize,
        app: &AppName,
        resources: Resources,
        isolator: &mut dyn Isolator,
    ) -> Answer {
        self.is_open()?;
        let record = self.known(app)?;
        offers(isolator, app, &resources)?;
        let pids = self.manifest.bounds.pids;
        // One that doesn't run gets a cgroup with its limits when it is started.
        let has_cgroup = record.runs_or_starts();
        let mut manifest = self.manifest.clone();
        let mut before = Resources::default();
        for entry in manifest.apps.iter_mut().filter(|entry| entry.name == *app) {
            before = std::mem::replace(&mut entry.resources, resources.clone());
        }
        if has_cgroup {
            let changed = before.changed_to(&resources, pids);
            if isolator.asks_pod_init() {
                return self.ask_limit(index, app, changed, (before, resources));
            }
            isolator.update(app, &changed)?;
        }
        if let Err(failure) = self.write(manifest) {
            if has_cgroup {
                // The manifest says what holds: back to that. What can't be set back is told by the first failure.
                let _ = isolator.update(app, &resources.changed_to(&before, pids));
            }
            return Err(failure);
        }
        self.emit(Some(app.clone()), EventKind::Updated);
        DONE
    }

    /// Changes those of an app's limits that are given.
    pub(super) fn limit_app(
        &mut self,
        index: usize,
        app: &AppName,
        given: &Resources,
        isolator: &mut dyn Isolator,
    ) -> Answer {
        self.is_open()?;
        let has_cgroup = self.known(app)?.runs_or_starts();
        let mut manifest = self.manifest.clone();
        let entry = manifest.apps.iter_mut().find(|entry| entry.name == *app);
        let Some(entry) = entry else {
            return Err(StartFailure::other(format!("there is no app {app}")));
        };
        let before = entry.resources.clone();
        let after = before.with(given).map_err(contradiction)?;
        after
            .check_within(&self.manifest.resources)
            .map_err(contradiction)?;
        offers(isolator, app, &after)?;
        entry.resources = after.clone();
        if has_cgroup {
            let asked = asked(&before, &after, given);
            if isolator.asks_pod_init() {
                return self.ask_limit(index, app, asked, (before, after));
            }
            isolator.update(app, &asked)?;
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
        DONE
    }

    /// Changes those of the whole pod's limits that are given.
    pub(super) fn limit_pod(
        &mut self,
        index: usize,
        given: &Resources,
        isolator: &mut dyn Isolator,
    ) -> Answer {
        self.is_open()?;
        let mut manifest = self.manifest.clone();
        let before = manifest.resources.clone();
        let after = before.with(given).map_err(contradiction)?;
        for app in &manifest.apps {
            app.resources
                .check_within(&after)
                .map_err(|error| StartFailure::other(format!("app {}: {error}", app.name)))?;
        }
        manifest.resources = after.clone();
        let offered = isolator.features();
        let required = manifest.required_features();
        if let Some(feature) = required.iter().find(|feature| !offered.contains(feature)) {
            return Err(lacks(*feature));
        }
        let asked = asked(&before, &after, given);
        let asks_pod_init = isolator.asks_pod_init();
        if asks_pod_init {
            self.free(index)?;
            self.no_limit_changes(None)?;
        }
        isolator.update_pod(&asked)?;
        if asks_pod_init && !of_apps_together(&asked).is_unlimited() {
            return self.ask_pod_limit(index, &asked, (before, after));
        }
        if let Err(failure) = self.write(manifest) {
            // As above.
            let none = pod::manifest::Limit::Unlimited;
            let _ = isolator.update_pod(&after.changed_to(&before, none));
            return Err(failure);
        }
        self.emit(None, EventKind::Updated);
        DONE
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
        if isolator.asks_pod_init() {
            return self.thaw_in_machine(app);
        }
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
        let is_paused = |record: &&AppRecord| record.paused || self.questions.pause(&record.name);
        let paused = self.apps.iter().filter(is_paused);
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

fn offers(
    isolator: &dyn Isolator,
    app: &AppName,
    resources: &Resources,
) -> Result<(), StartFailure> {
    let offered = isolator.features();
    let required = resources.required_features();
    match required.iter().find(|feature| !offered.contains(feature)) {
        Some(feature) => Err(lacks(*feature)),
        None => isolator.can_limit(app, resources),
    }
}

fn lacks(feature: pod::feature::Feature) -> StartFailure {
    StartFailure::other(format!(
        "these limits need `{feature}`, which the pod's isolator does not offer"
    ))
}
