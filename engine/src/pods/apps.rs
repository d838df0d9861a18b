//! Apps that join a running pod, start, stop and leave it, by way of its monitor.
//!
//! An image is judged when its app joins and again each time that the app starts: a monitor takes an app only with what
//! has just been verified of its image.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use pod::control::{AddApp, Request, Response, StartApp};
use pod::feature::Feature;
use pod::manifest::{App, MountSource, PodManifest, VolumeSource};
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry, PodError, State, app_dir};

use super::app_limits::{require_within, warn_of_disks};
use super::app_names::app_names;
use super::connection::{PATIENCE, START, await_answer, connect_when_up, live_status, unexpected};
use super::execution::execution;
use super::folder::{PlannedApp, image_record};
use super::healthcheck;
use super::images::{MountedImages, typed};
use super::in_memory;
use super::joined_processes;
use super::known_app;
use super::logging;
use super::mounts::in_order;
use super::oom_score::warn_if_clamped;
use super::prepared::judge;
use super::restart;
use super::security;
use super::spec::AppSpec;
use super::systemd;
use super::unisolated;
use super::widened::warn_of_widened;
use crate::config::files::Config;
use crate::devices;
use crate::engine::Engine;
use crate::error::{AppError, Error, MonitorError, SelinuxError};
use crate::images::choice::{Chosen, Pull};
use crate::isolators::find as isolator;
use crate::observer::Observer;
use crate::policy::verifier::{RunnableImage, Verifier};
use crate::selinux;
use crate::volumes::provide;

/// How often a name is chosen for an app that was asked for without one, where others take it first.
const NAMINGS_MAX: usize = 64;
/// Between two looks at a pod whose monitor has hung up.
const HUNG_UP: Duration = Duration::from_millis(5);

/// A pod that runs, and whose apps can come and go.
#[derive(Debug)]
pub struct OpenPod<'a> {
    engine: &'a Engine,
    entry: &'a PodEntry,
    manifest: PodManifest,
    connection: SeqPacket,
}

impl<'a> OpenPod<'a> {
    /// Connects to a pod.
    ///
    /// # Errors
    /// If it doesn't run, or its isolator takes no apps while it does.
    pub fn connect(engine: &'a Engine, entry: &'a PodEntry) -> Result<Self, Error> {
        match entry.state()? {
            State::Running => {}
            state => return Err(AppError::NotRunning(entry.uuid, state).into()),
        }
        let manifest = manifest_of(entry)?;
        isolator::of_pod(&manifest.stage1, &engine.directories)?
            .require(&BTreeSet::from([Feature::Mutable]))?;
        let connection =
            connect_when_up(entry, &engine.directories)?.ok_or_else(|| ended(entry))?;
        Ok(Self {
            engine,
            entry,
            manifest,
            connection,
        })
    }

    /// Adds an app, whose image is found, fetched and verified as at a pod's start. It doesn't run yet. Gives its name.
    ///
    /// # Errors
    /// What stands in the way; the pod is as it was then.
    pub fn add(
        &self,
        spec: &AppSpec,
        pull: Pull,
        observer: &dyn Observer,
    ) -> Result<AppName, Error> {
        let stage1 = isolator::of_pod(&self.manifest.stage1, &self.engine.directories)?;
        let of_host = &self.manifest.host_namespaces;
        unisolated::require_host_processes(spec, &stage1, of_host)?;
        let verifier = Verifier::new(self.engine, observer)?;
        // Kept until the pod's manifest names them.
        let chosen = Chosen::all(self.engine, &verifier, typed(spec, pull))?;
        let choice = chosen.of(&spec.image)?;
        let image = verifier.at_start(&choice.reference, &choice.top)?;
        let mut name = self.free_name(spec, image.repository().as_str())?;
        if self.manifest.user_namespace.is_none() {
            security::require_held([&spec.security])?;
        }
        let is_in_machine = self.manifest.virtual_machine.is_some();
        let mut config = execution(spec, image.image(), is_in_machine, observer)?;
        let edits = devices::resolve(&spec.devices, &self.engine.directories)?;
        config.add_env(edits.env);
        config.groups = edits.groups;
        let mut mounted = MountedImages::new(&verifier, &chosen);
        let mut mounts = mounted.mounts(spec)?;
        mounts.extend(edits.mounts);
        if config.systemd {
            systemd::add_mounts(&mut mounts);
        }
        if spec.writable_in_memory {
            in_memory::add_writable(&mut mounts);
        }
        let mounts = in_order(mounts, &self.manifest.volumes)?;
        let configured = Config::read(&self.engine.directories)?;
        let log = logging::resolve(spec.log.as_ref(), None, configured.log_driver());
        let (probes, restart) = healthcheck::resolve(spec, image.image(), &stage1, observer)?;
        config.probes = probes;
        config.restart = restart::configured(restart, spec, &configured);
        let planned = PlannedApp::new(
            name.clone(),
            spec,
            config,
            mounts,
            edits.devices,
            log,
            &image,
        );
        // Until the pod's manifest names them.
        let volumes = &self.manifest.volumes;
        let _volumes = provide(self.engine, volumes, &[planned.mounting()])?;
        let mut app = planned.into_app();
        app.insecure_options = self.engine.insecure.clone();
        joined_processes::require_target(&app, self.manifest.apps.iter())?;
        security::require_own_cgroups(&app, &self.manifest.host_namespaces)?;
        self.label(&mut app, spec)?;
        stage1.require(&app.required_features())?;
        require_within(&app, &self.manifest.resources)?;
        image.warn_if_unsigned(observer);
        let mut request = AddApp { app };
        for _ in 1..NAMINGS_MAX {
            let asked = Request::AddApp(Box::new(request.clone()));
            match self.ask(&asked, PATIENCE) {
                // Another command may have been faster with a name that nobody has asked for.
                Err(Error::Refusing { kind, message }) if spec.name.is_none() => {
                    let free = self.free_name(spec, image.repository().as_str())?;
                    if free == name {
                        return Err(Error::Refusing { kind, message });
                    }
                    name = free;
                    request.app.name = name.clone();
                }
                Err(refused) => return Err(self.because_taken(&name, refused)?),
                Ok(()) => {
                    chosen.note_use(self.engine);
                    self.warn_of(&request.app, observer);
                    return Ok(name);
                }
            }
        }
        Err(AppError::SameName(name).into())
    }

    /// Says what is notable of an app that has joined.
    fn warn_of(&self, app: &App, observer: &dyn Observer) {
        if self.manifest.virtual_machine.is_none() {
            warn_of_disks([&app.resources], observer);
        }
        logging::warn_without_journal([&app.log], observer);
        warn_of_widened(app, &self.manifest, observer);
        warn_if_clamped(app, &self.manifest, observer);
    }

    /// Labels an app, and what it mounts, where the pod has labels of SELinux.
    fn label(&self, app: &mut App, spec: &AppSpec) -> Result<(), Error> {
        let Some(own) = &self.manifest.selinux else {
            return Ok(());
        };
        let directories = &self.engine.directories;
        let Some(labels) = selinux::label_containers(&Config::read(directories)?)? else {
            return Ok(());
        };
        labels
            .label_app(app, &spec.labels, own.categories)
            .map_err(SelinuxError::from)?;
        let security = &app.security;
        let known = security.selinux_label.iter().chain(&security.mount_label);
        known.into_iter().try_for_each(selinux::knows)?;
        selinux::relabel_mounts(
            &app.mounts,
            security.mount_label.as_ref(),
            &directories.data,
        )
    }

    /// The name that is asked for, else one from the image's that no app of the pod has.
    fn free_name(&self, spec: &AppSpec, repository: &str) -> Result<AppName, Error> {
        if let Some(name) = &spec.name {
            return Ok(name.clone());
        }
        let named = |name: &AppName| AppSpec {
            name: Some(name.clone()),
            ..AppSpec::default()
        };
        // What the manifest says now: others may have joined since.
        let manifest = manifest_of(self.entry)?;
        let taken: Vec<AppSpec> = manifest.apps.iter().map(|app| named(&app.name)).collect();
        let all = taken.iter().chain([spec]).map(|spec| (spec, repository));
        let names = app_names(&all.collect::<Vec<_>>())?;
        names
            .into_iter()
            .next_back()
            .ok_or_else(|| AppError::NoName(self.entry.uuid).into())
    }

    /// Judges the images of an app by the policy of now: the one that it runs, and those that it mounts. For who is about to
    /// end an app only to start it again.
    ///
    /// # Errors
    /// What stands in the way of its start.
    pub fn judge(&self, app: &AppName, observer: &dyn Observer) -> Result<(), Error> {
        let verifier = Verifier::new(self.engine, observer)?;
        let _pin = self.engine.store().pin()?;
        self.judged(app, &verifier).map(drop)
    }

    /// The images of an app, first the one that it runs. The caller holds a pin.
    fn judged(
        &self,
        app: &AppName,
        verifier: &Verifier<'_>,
    ) -> Result<(RunnableImage, Vec<RunnableImage>), Error> {
        // What the manifest says now: the app may have joined since.
        let manifest = manifest_of(self.entry)?;
        let entry = manifest
            .app(app)
            .ok_or_else(|| AppError::unknown(&manifest, app))?;
        let image = judge(self.engine, verifier, &entry.image)?;
        let volumes = manifest
            .volumes
            .iter()
            .filter_map(|volume| match &volume.source {
                VolumeSource::Image { image } => Some((&volume.name, &**image)),
                _ => None,
            });
        let volumes: BTreeMap<_, _> = volumes.collect();
        let mounted = entry.mounts.iter().filter_map(|mount| match &mount.source {
            MountSource::Image { image, .. } => Some(&**image),
            MountSource::Volume { name, .. } => volumes.get(name).copied(),
            _ => None,
        });
        let mounted = mounted.map(|mounted| judge(self.engine, verifier, mounted));
        Ok((image, mounted.collect::<Result<_, _>>()?))
    }

    /// Refuses to start an app beside others that are all frozen: whoever has paused the pod expects that it stands still.
    ///
    /// # Errors
    /// [`AppError::Paused`].
    fn require_unpaused(&self) -> Result<(), Error> {
        let live = live_status(self.entry, &self.engine.directories)?;
        let apps = live.map(|live| live.apps).unwrap_or_default();
        let mut running = apps.iter().filter(|app| app.pid.is_some()).peekable();
        match running.peek().is_some() && running.all(|app| app.paused) {
            true => Err(AppError::Paused(self.entry.uuid).into()),
            false => Ok(()),
        }
    }

    /// Starts an app that doesn't run, after its image has been judged once more by the policy of now.
    ///
    /// # Errors
    /// What stands in the way, or why its program could not be executed.
    pub fn start(&self, app: &AppName, observer: &dyn Observer) -> Result<(), Error> {
        self.start_if(app, false, observer)
    }

    /// The same with an app that has never run: of several who ask at once, one starts it.
    ///
    /// # Errors
    /// As [`Self::start`], and if it has run.
    pub fn start_first(&self, app: &AppName, observer: &dyn Observer) -> Result<(), Error> {
        self.start_if(app, true, observer)
    }

    /// Has the pod's monitor write down that an app that has never run can't be started, in the words that who asked is told.
    ///
    /// # Errors
    /// If it has run, or there is no such app, or the monitor doesn't know how.
    pub fn give_up_start(&self, app: &AppName, why: String) -> Result<(), Error> {
        let app = app.clone();
        self.ask(&Request::NotStarted { app, why }, PATIENCE)
    }

    fn start_if(&self, app: &AppName, first: bool, observer: &dyn Observer) -> Result<(), Error> {
        self.require_unpaused()?;
        let verifier = Verifier::new(self.engine, observer)?;
        let _pin = self.engine.store().pin()?;
        let (image, mounted) = self.judged(app, &verifier)?;
        for image in [&image].into_iter().chain(&mounted) {
            image.warn_if_unsigned(observer);
        }
        let start = StartApp {
            app: app.clone(),
            image: image_record(&image),
            first,
        };
        self.ask(&Request::StartApp(Box::new(start)), START)?;
        // What an earlier run has left is out of the way; the app runs, whatever becomes of that.
        let _ = app_dir::empty_removed(&self.entry.path);
        Ok(())
    }

    /// Ends an app: its stop signal, and SIGKILL after the grace period, if it is not the pod's own. Returns when it
    /// has ended.
    ///
    /// # Errors
    /// If there is no such app, or it does not end.
    pub fn stop(&self, app: &AppName, grace: Option<Duration>) -> Result<(), Error> {
        let patience = grace.unwrap_or_else(|| self.manifest.grace_period());
        let request = Request::StopApp {
            app: app.clone(),
            grace_ms: grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
        };
        let asked = self.ask(&request, patience.saturating_add(PATIENCE));
        asked.map_err(|error| self.because_unknown(app, error))
    }

    /// Takes an app out of the pod, with its files and its log.
    ///
    /// # Errors
    /// If there is no such app, or it runs and is not to be killed.
    pub fn remove(&self, app: &AppName, force: bool) -> Result<(), Error> {
        let request = Request::RemoveApp {
            app: app.clone(),
            force,
        };
        let asked = self.ask(&request, PATIENCE);
        asked.map_err(|error| self.because_unknown(app, error))?;
        // What is left of it is out of everybody's way already; this may take long, and not the monitor's time.
        Ok(app_dir::empty_removed(&self.entry.path)?)
    }

    /// Why an app was refused: another has its name, if that is so.
    fn because_taken(&self, name: &AppName, refused: Error) -> Result<Error, Error> {
        let manifest = manifest_of(self.entry)?;
        if !matches!(refused, Error::Refusing { .. }) || manifest.app(name).is_none() {
            return Ok(refused);
        }
        let (pod, app) = (manifest.called(), name.clone());
        Ok(AppError::Exists { pod, app }.into())
    }

    /// Why nothing was done with an app: there is none of that name, if that is so.
    fn because_unknown(&self, app: &AppName, refused: Error) -> Error {
        match refused {
            Error::Refusing { .. } => known_app::require(self.entry, Some(app))
                .err()
                .unwrap_or(refused),
            other => other,
        }
    }

    /// Asks for something that is done, or not.
    fn ask(&self, request: &Request, patience: Duration) -> Result<(), Error> {
        match self.connection.send(request, &[]) {
            Err(PodError::Ended) => return Err(self.hung_up()?),
            other => other?,
        }
        let begun = Instant::now();
        if !await_answer(&self.connection, Some(patience))? {
            return Err(MonitorError::Mute(begun.elapsed()).into());
        }
        match self.connection.recv::<Response>()? {
            Some((Response::Done, _)) => Ok(()),
            Some((Response::Refused { kind, message }, _)) => {
                Err(Error::Refusing { kind, message })
            }
            Some((other, _)) => Err(unexpected(&other)),
            None => Err(self.hung_up()?),
        }
    }

    /// Why the monitor has hung up: it ends, which may take a while yet, or it is of an earlier release, which hangs up
    /// on what it doesn't know and goes on.
    fn hung_up(&self) -> Result<Error, Error> {
        let deadline = Instant::now() + PATIENCE;
        while self.entry.state()? == State::Running {
            if live_status(self.entry, &self.engine.directories)?.is_some() {
                return Ok(MonitorError::Earlier(self.entry.uuid).into());
            }
            if Instant::now() >= deadline {
                return Ok(MonitorError::Mute(PATIENCE).into());
            }
            thread::sleep(HUNG_UP);
        }
        Ok(ended(self.entry))
    }
}

fn ended(entry: &PodEntry) -> Error {
    AppError::NotRunning(entry.uuid, State::Exited).into()
}

/// The manifest of a pod that ran when it was last looked at.
fn manifest_of(entry: &PodEntry) -> Result<PodManifest, Error> {
    match PodManifest::load(&entry.path) {
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(ended(entry))
        }
        other => Ok(other?),
    }
}
