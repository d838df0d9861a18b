//! Apps that join the running pod, start, stop and leave it. The pod's manifest on disk is true at each moment.

use std::time::Duration;

use pod::control::bounds::APPS_MAX;
use pod::control::{EventKind, LastEnd, StartApp};
use pod::exit::{AppStatus, FailureKind};
use pod::manifest::{App, PodManifest, Streams as Destination};
use pod::{AppName, PodName, app_dir, network, record};
use supervisor::{AppPlan, Event};

use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::joining::Joining;
use super::last_words;
use super::records::{self, AppRecord};
use super::rlimits;
use super::start::{app_spec, security};
use crate::failure::StartFailure;
use crate::protocol::ToInit;

impl Monitor {
    /// Whether apps may come and go: not while the pod begins or ends.
    pub(super) fn is_open(&self) -> Result<(), StartFailure> {
        let ends = self.stop_requested || self.init_is_dead || self.supervised_end();
        let why = match (self.started, ends) {
            (None, _) => "is being started",
            (_, true) => "is being stopped",
            (Some(_), false) => return Ok(()),
        };
        Err(StartFailure::other(format!("the pod {why}")))
    }

    pub(super) fn add_app(
        &mut self,
        app: App,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        let name = app.name.clone();
        if self.apps.len() >= APPS_MAX {
            return Err(StartFailure::other(format!(
                "the pod has {APPS_MAX} apps already"
            )));
        }
        let offered = isolator.features();
        let required = app.required_features();
        if let Some(feature) = required.iter().find(|feature| !offered.contains(feature)) {
            return Err(StartFailure::other(format!(
                "app {name} needs `{feature}`, which the pod's isolator does not offer"
            )));
        }
        if !app.security.no_new_privileges && !self.new_privileges {
            return Err(StartFailure::other(format!(
                "app {name} can't gain privileges: no app that the pod began with could, and pod init has given that \
                 up for good; begin a pod with such an app instead: `fairing run --lifetime=until-stopped` with \
                 --privileged or --no-new-privileges=false"
            )));
        }
        if app.execution.terminal && self.manifest.streams == Destination::Foreground {
            return Err(StartFailure::other(format!(
                "app {name} can't have a terminal: the pod runs in the foreground"
            )));
        }
        if self.supervision.is_none() && !AppPlan::of(&app).is_plain() {
            return Err(StartFailure::other(format!(
                "app {name} can't be restarted or looked after: the pod has begun without such apps"
            )));
        }
        let mut manifest = self.manifest.clone();
        let added = manifest.apps.add(app.clone());
        added.map_err(|error| StartFailure {
            kind: FailureKind::NameTaken,
            message: error.to_string(),
        })?;
        // While there is room, for what an app needs that leaves.
        records::reserve_removals(&self.pod_dir)?;
        isolator.make_app(&manifest, &app)?;
        // A start that fails for want of room has to be written down, too.
        let reserved = AppStatus::reserve(&self.pod_dir, &name).map_err(StartFailure::from);
        // First all of the app, then its entry: whoever reads the entry finds the rest.
        let made = reserved
            .and_then(|()| Ok(app_dir::mark_created(&self.pod_dir, &name)?))
            .and_then(|()| self.write(manifest));
        if let Err(failure) = made {
            // The first failure is the one to tell of; what stays goes with the pod.
            let _ = app_dir::remove(&self.pod_dir, &name);
            return Err(failure);
        }
        let plan = self.manifest.app(&name).map(AppPlan::of);
        self.apps.push(match self.supervision {
            Some(_) => AppRecord::of_supervised(name.clone()),
            None => AppRecord::new(name.clone()),
        });
        self.emit(Some(name), EventKind::Added);
        match plan {
            Some(plan) => self.supervise(Event::Added(Box::new(plan)), isolator),
            None => Ok(()),
        }
    }

    /// The pod is called so from now on.
    pub(super) fn rename(&mut self, name: PodName) -> Result<(), StartFailure> {
        self.is_open()?;
        let mut manifest = self.manifest.clone();
        manifest.name = Some(name);
        self.write(manifest)
    }

    /// Makes this the pod's manifest.
    pub(super) fn write(&mut self, manifest: PodManifest) -> Result<(), StartFailure> {
        let path = self.pod_dir.join(pod::layout::MANIFEST_FILE);
        record::replace_reserved(&path, &manifest)?;
        self.manifest = manifest;
        Ok(())
    }

    /// Tells pod init to start an app; it answers. Where it is to be the first start, a failure is the app's end, and is
    /// written down: nobody tries it a second time.
    pub(super) fn start_app(
        &mut self,
        start: StartApp,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        self.require_at_rest(&start.app, start.first)?;
        let (name, first) = (start.app.clone(), start.first);
        let begun = self.begin_app(start, isolator);
        match begun {
            Err(failure) if first && self.supervision.is_none() => {
                self.app_failed(&name, failure.clone(), isolator);
                Err(failure)
            }
            other => other,
        }
    }

    /// Writes down that an app that has never run can't be started, as who was to ask for it says.
    pub(super) fn give_up_start(
        &mut self,
        app: &AppName,
        why: String,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        self.is_open()?;
        self.require_at_rest(app, true)?;
        if self.supervision.is_some() {
            return Err(StartFailure::other(format!(
                "app {app} is looked after by its pod, which starts it again"
            )));
        }
        self.app_failed(app, StartFailure::other(why), isolator);
        Ok(())
    }

    /// Refuses what is to be done with an app that doesn't run, or never has.
    fn require_at_rest(&self, app: &AppName, never_ran: bool) -> Result<(), StartFailure> {
        let record = self.known(app)?;
        let why = match record.runs_or_starts() {
            true => "runs",
            false if never_ran && record.has_run() => "has run",
            false => return Ok(()),
        };
        Err(StartFailure::other(format!(
            "app {app} of pod {} {why} already",
            self.manifest.called()
        )))
    }

    fn begin_app(
        &mut self,
        start: StartApp,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let StartApp {
            app: name, image, ..
        } = start;
        let mut manifest = self.manifest.clone();
        let app = manifest.apps.iter_mut().find(|app| app.name == name);
        let Some(app) = app else {
            return Err(StartFailure::other(format!(
                "pod {} has no app called {name}",
                self.manifest.called()
            )));
        };
        if (&image.manifest, &image.layers) != (&app.image.manifest, &app.image.layers) {
            return Err(StartFailure::other(format!(
                "app {name} was added with the image {}, and {} was verified",
                app.image.manifest, image.manifest
            )));
        }
        app.image.verification = image.verification;
        let app = app.clone();
        rlimits::check(&app)?;
        if manifest != self.manifest {
            self.write(manifest)?;
        }
        self.launch(&app, Joining::Later, isolator)?;
        self.supervise(Event::Starting(name), isolator)
    }

    /// Tells pod init to start an app whose image has been verified, for the first time or again.
    pub(super) fn launch(
        &mut self,
        app: &App,
        joining: Joining,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let name = &app.name;
        let security = security(app)?;
        let record = self.known(name)?;
        let ran_before = record.has_run();
        // One of its own for each run, so that what was counted of an earlier one counts no more.
        isolator.take_back(name)?;
        let (names, sockets) = match &self.supervision {
            Some(supervision) => supervision.sockets_of(name)?,
            None => Default::default(),
        };
        last_words::make_room(&self.pod_dir, app)?;
        let handed_over = isolator.hand_over(&self.manifest, app, sockets)?;
        AppStatus::reserve(&self.pod_dir, name)?;
        let streams = self.streams.for_app(app, joining, &mut *self.init)?;
        let mut spec = app_spec(app, security, streams, names);
        if !app.execution.addresses.is_empty() {
            let status = network::load(&self.pod_dir)?.unwrap_or_default();
            let addresses: Vec<_> = status.addresses().collect();
            spec.execution = app.execution.with_addresses(&addresses);
        }
        // Nothing can keep it from starting any more but pod init itself.
        app_dir::mark_starting(&self.pod_dir, name)?;
        self.init.send(&ToInit::App(Box::new(spec)), handed_over)?;
        let is_supervised = self.supervision.is_some();
        if let Some(record) = self.record(name) {
            record.restarts += u64::from(match is_supervised {
                // Its starts that fail count, too.
                true => ran_before,
                false => record.started.is_some(),
            });
            record.starting = true;
            record.stored = false;
            record.next_start = None;
            record.not_started = None;
            let last = record.end.map(|(finished, outcome)| LastEnd {
                finished,
                outcome,
                message: record.message.take(),
            });
            record.last_end = last.or(record.last_end.take());
        }
        self.attach_waiting(name);
        Ok(())
    }

    pub(super) fn stop_app(
        &mut self,
        app: &AppName,
        grace: Duration,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        // One that is frozen hears nothing.
        self.resume(app, isolator)?;
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let app = app.clone();
        self.tell_init(&ToInit::StopApp { app, grace_ms })
    }

    /// Takes an app out of the pod that doesn't run.
    pub(super) fn remove_app(
        &mut self,
        app: &AppName,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let mut manifest = self.manifest.clone();
        manifest.apps.remove(app);
        self.streams.forget(app);
        // First its entry, then the rest, so that nobody finds an entry without it.
        if let Err(failure) = self.write(manifest.clone()) {
            if failure.kind != FailureKind::NoSpace {
                return Err(failure);
            }
            // Nobody wants what the app has written any more, and it may be just what fills the disk.
            app_dir::empty(&self.pod_dir, app)?;
            self.write(manifest)?;
        }
        self.apps.retain(|record| record.name != *app);
        self.refuse_waiting(app);
        self.tell_init(&ToInit::ForgetApp { app: app.clone() })?;
        self.emit(Some(app.clone()), EventKind::Removed);
        self.supervise(Event::Removed(app.clone()), isolator)?;
        isolator.remove_app(app)?;
        Ok(app_dir::remove(&self.pod_dir, app)?)
    }

    /// Looks how many processes of the apps that run the kernel has killed because memory was short.
    pub(super) fn count_memory_kills(&mut self, isolator: &mut dyn Isolator) {
        for record in self.apps.iter_mut().filter(|record| record.is_running()) {
            // Where somebody else counts, that was told.
            record.oom_kills = isolator.oom_kills(&record.name).or(record.oom_kills);
        }
    }

    /// What is known of an app.
    pub(super) fn record(&mut self, app: &AppName) -> Option<&mut AppRecord> {
        self.apps.iter_mut().find(|record| record.name == *app)
    }
}
