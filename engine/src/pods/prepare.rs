//! From what is asked of a pod to a prepared one.

use std::path::Path;

use image_store::Pin;
use pod::activation::ActivationSockets;
use pod::feature::Feature;
use pod::manifest::{HostNamespace, PodManifest};
use pod::named_volumes::VolumesPin;
use pod::stage1::Stage1;
use pod::{LockedPod, Phase, PodUuid};

use super::app_limits::{require_within, warn_of_disks};
use super::app_names::app_names;
use super::by_manager::ByManager;
use super::execution::execution;
use super::folder::{self, Plan, PlannedApp, PodRequest, image_record};
use super::foreseen;
use super::healthcheck;
use super::host_paths;
use super::images::{MountedImages, typed};
use super::in_memory;
use super::joined_processes;
use super::killed::make_after;
use super::logging;
use super::machine;
use super::mounts::{check_volumes, in_order};
use super::oom_score::warn_if_clamped;
use super::replace::make_in_place;
use super::restart;
use super::security;
use super::spec::{AppSpec, PodSpec};
use super::sysctl;
use super::systemd;
use super::traceable;
use super::unisolated;
use super::user_namespace::{self, PodIds};
use super::widened::warn_of_all;
use crate::config::files::Config;
use crate::devices;
use crate::engine::Engine;
use crate::error::{Error, SecurityError};
use crate::images::choice::Chosen;
use crate::isolators::find as isolator;
use crate::networks::settings;
use crate::observer::{Detail, Observer, Warning};
use crate::policy::verifier::{RunnableImage, Verifier};
use crate::selinux;
use crate::volumes::provide;

/// A pod that has been prepared and not yet moved on, with what it needs kept in the store.
#[derive(Debug)]
pub struct Prepared {
    /// The pod, in phase `prepare`.
    pub pod: LockedPod,
    /// Its isolator.
    pub stage1: Stage1,
    /// To be dropped once the pod has moved on.
    pub pin: Pin,
    /// The same for its volumes, if it was prepared by an earlier call.
    pub volumes: Option<VolumesPin>,
}

impl Prepared {
    /// Keeps the pod to be started by a later call; gives its UUID. If that fails, nothing of it is left.
    ///
    /// # Errors
    /// If the file system says so.
    pub fn keep(self) -> Result<PodUuid, Error> {
        let Self {
            mut pod,
            pin,
            volumes,
            ..
        } = self;
        let uuid = pod.uuid();
        let moved = pod.move_to(Phase::Prepared).map_err(Error::from);
        if let Err(error) = moved.and_then(|()| folder::sync(&pod)) {
            folder::discard(&mut pod);
            return Err(error);
        }
        drop((pin, volumes));
        Ok(uuid)
    }
}

/// Resolves, fetches, verifies and prepares a pod that will be handed these sockets.
///
/// # Errors
/// What stands in the way; nothing of the pod is left then.
pub fn prepare(
    engine: &Engine,
    spec: &PodSpec,
    sockets: &ActivationSockets,
    observer: &dyn Observer,
) -> Result<Prepared, Error> {
    host_paths::provide(&spec.host_paths)?;
    let Planned {
        mut plan,
        images,
        stage1,
        chosen,
    } = plan(engine, spec, sockets, observer)?;
    let make = |plan: &mut Plan| {
        let named = provide(engine, &plan.manifest().volumes, &plan.mountings())?;
        let pod = plan.make(&engine.pods(), &engine.directories.data)?;
        // The pod's manifest says that they are in use.
        drop(named);
        Ok(pod)
    };
    let pod = match spec.name.as_ref().filter(|_| spec.replace) {
        Some(name) => make_in_place(name, &mut plan, &images, engine, observer, make)?,
        None => make_after(&mut plan, engine, observer, make)?,
    };
    chosen.note_use(engine);
    Ok(Prepared {
        pod,
        stage1,
        pin: chosen.into_pin(),
        volumes: None,
    })
}

/// What the manifest of a pod would be: images are fetched and verified, and nothing of the pod is made. Its IDs and
/// categories are given only when it is made.
///
/// # Errors
/// What stands in the way.
pub fn foresee(
    engine: &Engine,
    spec: &PodSpec,
    observer: &dyn Observer,
) -> Result<PodManifest, Error> {
    host_paths::require(&spec.host_paths)?;
    let sockets = ActivationSockets::default();
    let planned = plan(engine, spec, &sockets, observer)?;
    for (app, image) in planned.plan.manifest().apps.iter().zip(&planned.images) {
        foreseen::check(app, image)?;
    }
    Ok(planned.plan.manifest().clone())
}

/// A pod that can be made, with what it needs kept in the store.
struct Planned {
    plan: Plan,
    images: Vec<RunnableImage>,
    stage1: Stage1,
    chosen: Chosen,
}

fn plan(
    engine: &Engine,
    spec: &PodSpec,
    sockets: &ActivationSockets,
    observer: &dyn Observer,
) -> Result<Planned, Error> {
    spec.network.check()?;
    let image_volumes = spec.image_volumes.iter().map(|volume| &volume.name);
    let would_be_made = |path: &Path| {
        let mut paths = spec.host_paths.iter();
        paths.any(|wanted| wanted.make && wanted.path == path)
    };
    check_volumes(&spec.volumes, image_volumes, would_be_made)?;
    settings::warn_of_unasked(&spec.network.dns, observer);
    traceable::warn_where_it_is(observer);
    let config = Config::read(&engine.directories)?;
    let wanted = isolator::wanted(spec.isolator.as_deref(), &config);
    let installed = match isolator::is_image(wanted) {
        true => None,
        false => Some(isolator::find(wanted, &engine.directories)?),
    };
    let verifier = Verifier::by(&config, engine, observer)?;
    let of_isolator = installed.is_none().then_some(wanted);
    let usual = spec.pull;
    let of_volumes = spec.image_volumes.iter();
    let of_volumes = of_volumes.map(|one| (one.image.as_str(), one.pull.unwrap_or(usual)));
    let of_apps = spec.apps.iter().flat_map(|app| typed(app, usual));
    let of_isolator = of_isolator.into_iter().map(|text| (text, usual));
    let chosen = Chosen::all(
        engine,
        &verifier,
        of_isolator.chain(of_apps).chain(of_volumes),
    )?;
    let (stage1, stage1_image) = match installed {
        Some(stage1) => (stage1, None),
        None => {
            let choice = chosen.of(wanted)?;
            let image = verifier.at_start(&choice.reference, &choice.top)?;
            (isolator::of_image(&image)?, Some(image_record(&image)))
        }
    };
    let spec = &*unisolated::fit(spec, &stage1)?;
    observer.detail(&Detail::Isolator {
        name: &stage1.manifest.name,
        path: &stage1.path,
    });
    let mut images = Vec::with_capacity(spec.apps.len());
    for app in &spec.apps {
        let choice = chosen.of(&app.image)?;
        observer.detail(&Detail::Image {
            text: &app.image,
            reference: &choice.reference,
            top: &choice.top,
        });
        images.push(verifier.at_start(&choice.reference, &choice.top)?);
    }
    let named: Vec<_> = spec
        .apps
        .iter()
        .zip(images.iter().map(|i| i.repository().as_str()))
        .collect();
    let names = app_names(&named)?;
    let mut mounted = MountedImages::new(&verifier, &chosen);
    let mut volumes = spec.volumes.clone();
    volumes.extend(mounted.volumes(&spec.image_volumes)?);
    let by_manager = ByManager::of(spec.manager.as_ref())?;
    let is_in_machine = stage1.manifest.features.contains(&Feature::VirtualMachine);
    let mut planned = Vec::with_capacity(spec.apps.len());
    for ((app, image), name) in spec.apps.iter().zip(&images).zip(names) {
        let mut execution = execution(app, image.image(), is_in_machine, observer)?;
        let edits = devices::resolve(&app.devices, &engine.directories)?;
        execution.add_env(edits.env);
        execution.groups = edits.groups;
        let mut mounts = mounted.mounts(app)?;
        mounts.extend(edits.mounts);
        let of_manager = by_manager.add(app, spec.ready_when, &mut mounts)?;
        for variable in ByManager::overridden(app, &of_manager) {
            observer.warning(Warning::VariableTaken {
                app: name.clone(),
                variable: variable.to_owned(),
            });
        }
        execution.add_env(of_manager);
        if execution.systemd {
            systemd::add_mounts(&mut mounts);
        }
        if app.writable_in_memory {
            in_memory::add_writable(&mut mounts);
        }
        let mounts = in_order(mounts, &volumes)?;
        let log = logging::resolve(app.log.as_ref(), spec.log.as_ref(), config.log_driver());
        let (probes, restart) = healthcheck::resolve(app, image.image(), &stage1, observer)?;
        execution.probes = probes;
        execution.restart = restart::configured(restart, app, &config);
        planned.push(PlannedApp::new(
            name,
            app,
            execution,
            mounts,
            edits.devices,
            log,
            image,
        ));
    }
    let exposed: Vec<_> = images.iter().map(RunnableImage::image).collect();
    let network = settings::resolve(&spec.network, &exposed, engine, observer)?;
    for (at, image) in images.iter().enumerate() {
        let said = |other: &RunnableImage| other.proof() == image.proof();
        if !images.iter().take(at).any(said) {
            image.warn_if_unsigned(observer);
        }
    }
    let ids = user_namespace::resolve(
        &spec.users,
        &config,
        &stage1,
        &engine.directories.data,
        observer,
    )?;
    let has_host_users = matches!(ids, PodIds::Host);
    if !has_host_users && spec.host_namespaces.contains(&HostNamespace::Ipc) {
        return Err(SecurityError::HostIpc.into());
    }
    if !has_host_users && spec.host_namespaces.contains(&HostNamespace::Pid) {
        return Err(SecurityError::HostPids.into());
    }
    if !has_host_users && spec.host_namespaces.contains(&HostNamespace::Cgroup) {
        return Err(SecurityError::HostCgroups.into());
    }
    if has_host_users {
        security::require_held(spec.apps.iter().map(|app| &app.security))?;
    }
    let request = PodRequest {
        uuid: spec.uuid,
        name: spec.name.clone(),
        hostname: spec.hostname.clone(),
        labels: spec.labels.clone(),
        annotations: spec.annotations.clone(),
        files: spec.files.clone(),
        makes_sub_paths: spec.makes_sub_paths,
        volume_group: spec.volume_group,
        grouped_volumes: spec.grouped_volumes.clone(),
        sysctl: sysctl::resolve(&spec.sysctl, &network.selection, &spec.host_namespaces)?,
        shm_size: spec.shm_size,
        new_privileges: spec.new_privileges,
        cgroup_parent: spec.cgroup_parent.clone(),
        host_namespaces: spec.host_namespaces.clone(),
        network,
        streams: spec.streams,
        grace_period: spec.grace_period,
        remove_on_exit: spec.remove_on_exit,
        volumes,
        lifetime: spec.lifetime,
        on_app_failure: spec.on_app_failure,
        ready_when: spec.ready_when,
        active_deadline_seconds: spec.active_deadline_seconds,
        insecure: engine.insecure.clone(),
        stage1_image,
        virtual_machine: machine::resolve(&spec.machine, config.kvm(), &stage1)?,
        resources: spec.resources.clone(),
        bounds: config.bounds(),
        selinux: selinux::given_by(
            selinux::label_containers(&config)?,
            &stage1,
            spec.apps.iter().any(AppSpec::asks_for_labels),
        ),
        ids,
    };
    let mut plan = Plan::new(request, &stage1, planned, sockets, observer)?;
    let is_kept = !spec.remove_on_exit;
    for (app, image) in plan.apps_mut().zip(&images) {
        app.image.filesystem = machine::filesystem(&stage1, image, is_kept, engine)?;
    }
    logging::warn_without_journal(plan.manifest().apps.iter().map(|app| &app.log), observer);
    warn_of_all(plan.manifest(), &stage1, observer);
    if plan.manifest().virtual_machine.is_none() {
        let of_apps = plan.manifest().apps.iter().map(|app| &app.resources);
        warn_of_disks(of_apps.chain([&plan.manifest().resources]), observer);
    }
    for app in &plan.manifest().apps {
        require_within(app, &plan.manifest().resources)?;
        joined_processes::require_target(app, plan.manifest().apps.iter())?;
        security::require_own_cgroups(app, &spec.host_namespaces)?;
        unisolated::require_own_places(app, &stage1)?;
        warn_if_clamped(app, plan.manifest(), observer);
    }
    // Last: who is refused hears of nothing else.
    let machine = plan.manifest().virtual_machine.as_ref();
    machine::warn_if_translated(&spec.machine, config.kvm(), machine, observer);
    Ok(Planned {
        plan,
        images,
        stage1,
        chosen,
    })
}
