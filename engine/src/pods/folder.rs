//! Making a pod: its directory, its manifest, its apps' directories.
//!
//! Takes [`RunnableImage`]s, which only a verdict makes; nothing else in this program makes a pod.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pod::activation::ActivationSockets;
use pod::id_blocks::IdRange;
use pod::manifest::{
    App, AppFailure, Apps, Bounds, CgroupParent, Device, Execution, HostNamespace, ImageRecord,
    InsecureOption, Lifetime, Log, MANIFEST_FILE, Mount, PodManifest, ReadyWhen, Resources,
    Stage1Choice, Streams, UserNamespace, VerificationRecord, VirtualMachine, Volume,
};
use pod::named_volumes::NamedVolumeName;
use pod::selinux::CategoryPair;
use pod::stage1::Stage1;
use pod::timestamp::Timestamp;
use pod::{AppName, LockedPod, PodName, PodUuid, PodsDir, app_dir, record, volumes};
use rustix::system::uname;
use trust::{Fingerprint, Verification};

use super::activation;
use super::execution::AppConfig;
use super::identity::user_of;
use super::spec::{AppSpec, VolumeFiles, VolumeGroup};
use super::user_namespace::PodIds;
use crate::error::{AppError, Error, SelinuxError};
use crate::networks::spec::NetworkSettings;
use crate::observer::Observer;
use crate::policy::verifier::RunnableImage;
use crate::selinux::{self, ContainerLabels, LabelOption};
use crate::volumes::{Contents, Mounting, copied_into};

/// What is asked of a pod as a whole.
#[derive(Debug)]
pub(super) struct PodRequest {
    /// Its identity.
    pub(super) uuid: PodUuid,
    /// Its name, if it gets one.
    pub(super) name: Option<PodName>,
    /// Its host name, if not the default.
    pub(super) hostname: Option<String>,
    /// What it is found by, beside its name.
    pub(super) labels: BTreeMap<String, String>,
    /// What others note of it.
    pub(super) annotations: BTreeMap<String, String>,
    /// Files that some of its volumes begin with.
    pub(super) files: Vec<VolumeFiles>,
    /// Whether directories are made for parts of volumes.
    pub(super) makes_sub_paths: bool,
    /// The group whose the files of some volumes are to be.
    pub(super) volume_group: Option<VolumeGroup>,
    /// Those volumes, as far as they outlive the pod.
    pub(super) grouped_volumes: Vec<NamedVolumeName>,
    /// Its networks, and what names resolve to.
    pub(super) network: NetworkSettings,
    /// Where its output goes.
    pub(super) streams: Streams,
    /// Time between the stop signal and SIGKILL.
    pub(super) grace_period: Duration,
    /// Whether it goes away when it has ended.
    pub(super) remove_on_exit: bool,
    /// Storage that its apps share.
    pub(super) volumes: Vec<Volume>,
    /// Kernel parameters of its own, as paths.
    pub(super) sysctl: BTreeMap<String, String>,
    /// The size of its shared memory, if not the usual one.
    pub(super) shm_size: Option<u64>,
    /// Whether apps that join it may gain privileges.
    pub(super) new_privileges: bool,
    pub(super) cgroup_parent: Option<CgroupParent>,
    /// What else it shares with the host.
    pub(super) host_namespaces: BTreeSet<HostNamespace>,
    /// When it ends by itself.
    pub(super) lifetime: Lifetime,
    /// What the failure of one app is to the others.
    pub(super) on_app_failure: AppFailure,
    /// When it counts as ready.
    pub(super) ready_when: ReadyWhen,
    /// How long it may run, in seconds.
    pub(super) active_deadline_seconds: Option<NonZeroU32>,
    /// Protections given up.
    pub(super) insecure: BTreeSet<InsecureOption>,
    /// The image that the isolator is from.
    pub(super) stage1_image: Option<ImageRecord>,
    /// Its virtual machine, if it runs in one.
    pub(super) virtual_machine: Option<VirtualMachine>,
    /// Limits of all its apps together.
    pub(super) resources: Resources,
    /// What each app may use where nothing is said of it.
    pub(super) bounds: Bounds,
    /// Whose IDs those of the pod are.
    pub(super) ids: PodIds,
    /// The labels of containers, where SELinux is enabled.
    pub(super) selinux: Option<ContainerLabels>,
}

/// An app that may be prepared: its image is verified.
#[derive(Debug)]
pub(super) struct PlannedApp {
    app: App,
    /// The trees of the image's layers, topmost first.
    trees: Vec<PathBuf>,
    labels: Vec<LabelOption>,
}

impl PlannedApp {
    /// Plans an app of a verified image.
    pub(super) fn new(
        name: AppName,
        spec: &AppSpec,
        config: AppConfig,
        mounts: Vec<Mount>,
        devices: Vec<Device>,
        log: Option<Log>,
        image: &RunnableImage,
    ) -> Self {
        let AppConfig {
            argv,
            env,
            user,
            group,
            groups,
            workdir,
            stop_signal,
            systemd,
            security,
            probes,
            restart,
        } = config;
        Self {
            app: App {
                name,
                image: image_record(image),
                execution: Execution {
                    args: argv,
                    env,
                    cwd: workdir,
                    user: user_of(spec, user, group, groups),
                    terminal: spec.tty,
                    console_size: None,
                    stdin: spec.stdin,
                    stdin_once: spec.stdin_once,
                    rlimits: spec.rlimits.clone(),
                    oom_score_adj: spec.oom_score_adj,
                    addresses: spec.addresses.clone(),
                },
                security,
                insecure_options: BTreeSet::new(),
                mounts,
                devices,
                device_rules: spec.device_rules.clone(),
                resources: spec.resources.clone(),
                stop_signal,
                systemd,
                own_processes: spec.own_processes,
                processes_of: spec.processes_of.clone(),
                role: spec.role,
                restart,
                restart_rules: spec.restart_rules.clone(),
                probes,
                hooks: spec.hooks.clone(),
                termination_message: spec.termination_message.clone(),
                log,
                labels: BTreeMap::new(),
                annotations: spec.annotations.clone(),
            },
            trees: trees(image),
            labels: spec.labels.clone(),
        }
    }

    /// What it mounts, and the trees of its image.
    pub(super) fn mounting(&self) -> Mounting<'_> {
        Mounting {
            mounts: &self.app.mounts,
            trees: &self.trees,
        }
    }

    /// Its entry in the pod manifest.
    pub(super) fn into_app(self) -> App {
        self.app
    }
}

/// The trees of an image's layers, topmost first.
fn trees(image: &RunnableImage) -> Vec<PathBuf> {
    let layers = image.image().layers().iter().rev();
    layers.map(|layer| layer.path.clone()).collect()
}

/// What a pod's record says of an image.
pub(super) fn image_record(image: &RunnableImage) -> ImageRecord {
    let layers = image.image().layers().iter();
    ImageRecord {
        reference: image.proof().reference().clone(),
        manifest: image.proof().manifest().clone(),
        layers: layers.map(|layer| layer.diff_id.clone()).collect(),
        verification: verification_record(image.proof().verification()),
        filesystem: None,
    }
}

fn verification_record(verification: &Verification) -> VerificationRecord {
    VerificationRecord {
        policy: verification.policy.to_string(),
        rule_prefix: verification.rule_prefix.clone(),
        rule_file: verification.rule_file.clone(),
        keys: verification.keys.iter().map(Fingerprint::digest).collect(),
        signed_digest: verification.signed_digest.clone(),
        integrity: (!verification.integrity.is_default())
            .then(|| verification.integrity.to_string()),
    }
}

/// A pod that can be made: nothing of it is there yet.
#[derive(Debug)]
pub(super) struct Plan {
    manifest: PodManifest,
    /// For each app, the trees of its image's layers, topmost first.
    trees: Vec<Vec<PathBuf>>,
    /// Where the pod gets IDs of its own, if it gets some.
    id_range: Option<IdRange>,
    /// What is in its volumes before it starts.
    contents: Contents,
    /// The labels of containers, where SELinux is enabled, and what is asked of those of each app.
    selinux: Option<(ContainerLabels, Vec<Vec<LabelOption>>)>,
}

impl Plan {
    /// Puts a pod together.
    ///
    /// # Errors
    /// If the isolator can't do what the pod needs, or the pod can't get the sockets.
    pub(super) fn new(
        mut request: PodRequest,
        stage1: &Stage1,
        apps: Vec<PlannedApp>,
        sockets: &ActivationSockets,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let asked: Vec<_> = apps.iter().map(|app| app.labels.clone()).collect();
        let selinux = request.selinux.take().map(|labels| (labels, asked));
        let (apps, trees): (Vec<_>, Vec<_>) = apps.into_iter().map(|a| (a.app, a.trees)).unzip();
        let id_range = match request.ids {
            PodIds::Block(range) => Some(range),
            PodIds::Host | PodIds::Mapped(_) => None,
        };
        let contents = Contents {
            files: std::mem::take(&mut request.files),
            makes_sub_paths: request.makes_sub_paths,
            group: request.volume_group,
            grouped: std::mem::take(&mut request.grouped_volumes),
        };
        let mut manifest = manifest(request, stage1, apps)?;
        if let Some((labels, asked)) = &selinux {
            // It gets its categories when it is made.
            label(&mut manifest, labels, asked, None)?;
            labels_are_known(&manifest)?;
        }
        stage1.require_for(&manifest)?;
        activation::check(sockets, &manifest, stage1, observer)?;
        Ok(Self {
            manifest,
            trees,
            id_range,
            contents,
            selinux,
        })
    }

    /// What the pod's manifest will be.
    pub(super) fn manifest(&self) -> &PodManifest {
        &self.manifest
    }

    /// The pod's apps, whose images are in this order.
    pub(super) fn apps_mut(&mut self) -> impl Iterator<Item = &mut App> {
        self.manifest.apps.iter_mut()
    }

    /// What each app mounts, and the trees of its image.
    pub(super) fn mountings(&self) -> Vec<Mounting<'_>> {
        let mut mountings = Vec::with_capacity(self.trees.len());
        for (app, trees) in self.manifest.apps.iter().zip(&self.trees) {
            let mounts = &app.mounts;
            mountings.push(Mounting { mounts, trees });
        }
        mountings
    }

    /// Makes the pod in phase `prepare`. If that fails, nothing of it is left.
    ///
    /// # Errors
    /// If the name is in use, no IDs are free, or something can't be written. `data` is the data directory.
    pub(super) fn make(&mut self, pods: &PodsDir, data: &Path) -> Result<LockedPod, Error> {
        let mut pod = pods.create(self.manifest.uuid)?;
        let filled = self.claim(&pod).and_then(|()| fill(&pod, self, data));
        match filled {
            Ok(()) => Ok(pod),
            Err(failure) => {
                discard(&mut pod);
                Err(failure)
            }
        }
    }
}

impl Plan {
    /// Gives the pod what no other pod has, beside its name.
    fn claim(&mut self, pod: &LockedPod) -> Result<(), Error> {
        if let Some(range) = self.id_range {
            let first = pod.claim_id_block(range)?;
            self.manifest.user_namespace = Some(UserNamespace::of_block(first));
        }
        let Some((labels, asked)) = &self.selinux else {
            return Ok(());
        };
        let categories = labels.has_levels().then(|| pod.claim_categories());
        let categories = categories.transpose().inspect_err(|_| self.release(pod))?;
        label(&mut self.manifest, labels, asked, categories)
    }

    /// Gives up what a pod without a manifest has: from what isn't there no removal knows it. What stays is left to `gc`.
    fn release(&self, pod: &LockedPod) {
        let users = self.manifest.user_namespace.as_ref();
        let first = users.and_then(UserNamespace::block);
        let _ = first.map_or(Ok(()), |first| pod.release_id_block(first));
        let categories = self.manifest.selinux.as_ref();
        let categories = categories.and_then(|labels| labels.categories);
        let _ = categories.map_or(Ok(()), |pair| pod.release_categories(pair));
    }
}

fn label(
    manifest: &mut PodManifest,
    labels: &ContainerLabels,
    asked: &[Vec<LabelOption>],
    categories: Option<CategoryPair>,
) -> Result<(), Error> {
    let asked = asked.iter().map(Vec::as_slice);
    let labelled = labels.label_pod(manifest, asked, categories);
    Ok(labelled.map_err(SelinuxError::from)?)
}

fn labels_are_known(manifest: &PodManifest) -> Result<(), Error> {
    let of_pod = manifest.selinux.iter().map(|labels| &labels.mount_label);
    let of_apps = manifest.apps.iter().map(|app| &app.security);
    let of_apps = of_apps.flat_map(|one| one.selinux_label.iter().chain(&one.mount_label));
    of_pod.chain(of_apps).try_for_each(selinux::knows)
}

/// Removes a pod that was never started. What can't be removed now is left to `gc`.
pub(super) fn discard(pod: &mut LockedPod) {
    let _ = pod.remove();
}

fn manifest(
    request: PodRequest,
    stage1: &Stage1,
    mut apps: Vec<App>,
) -> Result<PodManifest, Error> {
    for app in &mut apps {
        app.insecure_options = request.insecure.clone();
    }
    let of_host = request.host_namespaces.contains(&HostNamespace::Uts);
    let hostname = match (request.hostname, &request.name) {
        (None, _) if of_host => uname().nodename().to_string_lossy().into_owned(),
        (Some(given), _) => given,
        (None, Some(name)) => name.to_string(),
        (None, None) => format!("fairing-{}", request.uuid.short()),
    };
    Ok(PodManifest {
        version: record::Version,
        uuid: request.uuid,
        name: request.name,
        created: Timestamp::now(),
        stage1: Stage1Choice {
            name: stage1.manifest.name.clone(),
            path: stage1.path.clone(),
            image: request.stage1_image.map(Box::new),
        },
        lifetime: request.lifetime,
        on_app_failure: request.on_app_failure,
        ready_when: request.ready_when,
        active_deadline_seconds: request.active_deadline_seconds,
        hostname,
        network: request.network.selection,
        ports: request.network.ports,
        bandwidth: request.network.bandwidth,
        dns: request.network.dns,
        hosts: request.network.hosts,
        user_namespace: match request.ids {
            PodIds::Host => None,
            // It gets its own when it is made.
            PodIds::Block(_) => Some(UserNamespace::of_block(0)),
            PodIds::Mapped(ids) => Some(ids),
        },
        selinux: None,
        volumes: request.volumes,
        sysctl: request.sysctl,
        shm_size: request.shm_size,
        new_privileges: request.new_privileges,
        host_namespaces: request.host_namespaces,
        cgroup_parent: request.cgroup_parent,
        virtual_machine: request.virtual_machine,
        resources: request.resources,
        bounds: request.bounds,
        streams: request.streams,
        grace_period_ms: u64::try_from(request.grace_period.as_millis()).unwrap_or(u64::MAX),
        remove_on_exit: request.remove_on_exit,
        insecure_options: request.insecure,
        labels: request.labels,
        annotations: request.annotations,
        apps: Apps::try_from(apps).map_err(AppError::from)?,
    })
}

fn fill(pod: &LockedPod, plan: &Plan, data: &Path) -> Result<(), Error> {
    let manifest = &plan.manifest;
    // The manifest first: from it a removal knows the name.
    record::create(&pod.path().join(MANIFEST_FILE), manifest).inspect_err(|_| plan.release(pod))?;
    if let Some(name) = &manifest.name {
        pod.claim_name(name)?;
    }
    app_dir::make_all(pod.path())?;
    volumes::make_all(pod.path(), &manifest.volumes)?;
    copied_into(pod.path(), &manifest.volumes, &plan.mountings())?;
    plan.contents.make(pod.path(), data, manifest)?;
    for (app, trees) in manifest.apps.iter().zip(&plan.trees) {
        // The root directory that the app sees has the attributes of the topmost one.
        let topmost = trees.first().map(PathBuf::as_path);
        let ids = manifest.user_namespace.as_ref();
        app_dir::make(pod.path(), &app.name, topmost, ids)?;
        selinux::relabel_mounts(&app.mounts, app.security.mount_label.as_ref(), data)?;
    }
    if let Some(labels) = &manifest.selinux {
        for directory in volumes::directories(pod.path(), &manifest.volumes) {
            selinux::relabel(&directory, &labels.mount_label)?;
        }
    }
    Ok(())
}

/// Brings a prepared pod to disk for good.
///
/// # Errors
/// If the file system says so.
pub(super) fn sync(pod: &LockedPod) -> Result<(), Error> {
    let path = pod.path();
    let folder = File::open(path).map_err(Error::io("open", path))?;
    nix::unistd::syncfs(&folder).map_err(Error::errno("sync", path))
}
