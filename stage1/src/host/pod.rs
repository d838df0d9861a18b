//! What the monitor makes of a pod outside of it: cgroups, root filesystems, volumes.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pod::control::{AppStats, Usage};
use pod::manifest::{
    App, Limit, Mount, MountOption, MountSource, PodManifest, Resources, TerminationMessage,
};
use pod::stage1::{ENV_DIR, ENV_LAYERS_DIR, ENV_RUN};
use pod::{AppName, PodUuid, app_dir};
use rustix::fs::{Gid, Uid};

use super::init_process::{self, InitProcess};
use super::network_namespace::NetworkNamespace;
use crate::cgroup::PodCgroups;
use crate::environment::variable;
use crate::failure::{StartFailure, in_units};
use crate::monitor::app_notify;
use crate::mounts::{VolumePlaces, Volumes, credentials};
use crate::overlay::{Storage, mount_points, tree_of};
use crate::pod_ids::PodIds;

/// The file for an app's last words, in the app.
fn of_last_words(app: &App, message: &TerminationMessage) -> Mount {
    Mount {
        destination: message.path.clone(),
        source: MountSource::Host {
            path: app_dir::termination_message(Path::new("."), &app.name),
        },
        options: vec![MountOption::Nodev, MountOption::Noexec, MountOption::Nosuid],
        uid_mappings: Vec::new(),
        gid_mappings: Vec::new(),
        relabel: None,
    }
}

/// A pod on the host. Its directory is the working directory.
#[derive(Debug)]
pub struct HostPod {
    uuid: PodUuid,
    run_dir: PathBuf,
    cgroups: Option<PodCgroups>,
    /// The pod's user namespace, if it has one of its own.
    ids: Option<Arc<PodIds>>,
    storage: Option<Storage>,
    /// Apps whose root filesystems have been mounted.
    mounted: BTreeSet<AppName>,
    volumes: Option<Volumes>,
    /// Most memory of all of it together.
    memory: Option<u64>,
}

impl HostPod {
    /// One of which nothing is made yet, with this runtime directory.
    pub fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            uuid,
            run_dir: run_dir.to_path_buf(),
            cgroups: None,
            ids: None,
            storage: None,
            mounted: BTreeSet::new(),
            volumes: None,
            memory: None,
        }
    }

    /// One that doesn't run, with these users: what makes mounts for it.
    pub(super) fn at_rest(uuid: PodUuid, ids: Option<Arc<PodIds>>) -> Self {
        Self {
            ids,
            ..Self::new(uuid, Path::new(""))
        }
    }

    /// Its identity.
    pub fn uuid(&self) -> PodUuid {
        self.uuid
    }

    /// Finds where its cgroups go. None is made yet, but for a scope of systemd.
    ///
    /// # Errors
    /// If what is mounted can't be read, or there is no such scope.
    pub fn find_cgroups(&mut self, manifest: &PodManifest) -> Result<(), StartFailure> {
        let parent = manifest.cgroup_parent.as_ref();
        self.cgroups = Some(PodCgroups::find(&self.uuid.to_string(), parent)?);
        Ok(())
    }

    /// Starts pod init: `end` is its end of the link. Its cgroups have been found, and are made, on version 1 beside its
    /// first steps; so are its users, if the pod has its own. It makes the pod's network namespace, if there is to be one.
    /// The result is its pidfd, and its process ID for as long as nobody has waited for its end.
    ///
    /// # Errors
    /// What could not be made, and why.
    pub fn start_init(
        &mut self,
        manifest: &PodManifest,
        end: OwnedFd,
        network: Option<&NetworkNamespace>,
    ) -> Result<(OwnedFd, i32), StartFailure> {
        self.memory = manifest.resources.memory.limit.and_then(Limit::value);
        let cgroups = self.cgroups()?;
        let are_made_first = cgroups.are_made_first();
        if are_made_first {
            self.make_cgroups(manifest)?;
        }
        let started = init_process::start(
            self.uuid,
            end,
            cgroups,
            manifest.user_namespace.as_ref(),
            network,
            &manifest.host_namespaces,
        )?;
        // From here on beside that process.
        if !are_made_first {
            self.make_cgroups(manifest)?;
        }
        let InitProcess { process, pid, ids } = started.go_on()?;
        self.ids = ids.map(Arc::new);
        Ok((process, pid))
    }

    /// Makes the cgroups, with the limits of the pod.
    fn make_cgroups(&self, manifest: &PodManifest) -> Result<(), StartFailure> {
        let cgroups = self.cgroups()?;
        cgroups.make(&self.run_dir)?;
        Ok(cgroups.limit_pod(&manifest.resources)?)
    }

    /// Why pod init was killed, as far as that can be told. Its cgroups are there still.
    pub fn explain_kill(&self) -> StartFailure {
        let killed = self.cgroups.as_ref().and_then(PodCgroups::oom_kills_of_pod);
        StartFailure::other(match (killed, self.memory) {
            (Some(1..), Some(limit)) => format!(
                "pod init was killed: out of memory of the pod (limit {}, by --pod-memory)",
                in_units(limit)
            ),
            (Some(1..), None) => "pod init was killed: out of memory".to_owned(),
            _ => "pod init was killed".to_owned(),
        })
    }

    /// Its cgroups.
    ///
    /// # Errors
    /// If nobody has looked for them yet.
    pub fn cgroups(&self) -> Result<&PodCgroups, StartFailure> {
        self.cgroups
            .as_ref()
            .ok_or_else(|| StartFailure::other("the pod's cgroups are not there"))
    }

    /// The users of its own, if it has some.
    pub fn ids(&self) -> Option<&PodIds> {
        self.ids.as_deref()
    }

    /// Makes the cgroup of an app, with its limits.
    ///
    /// # Errors
    /// What could not be made, or limited.
    pub fn add_app(&self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        let cgroups = self.cgroups()?;
        cgroups.add_app(&app.name, &app.resources)?;
        if app.resources.pids.limit.is_none() {
            cgroups.bound_processes(&app.name, manifest.bounds.pids)?;
        }
        Ok(())
    }

    /// The root filesystem of an app, attached to nothing. An earlier one of it must be gone.
    ///
    /// # Errors
    /// If it can't be mounted.
    pub fn root_of(&mut self, manifest: &PodManifest, app: &App) -> Result<OwnedFd, StartFailure> {
        if !self.mounted.insert(app.name.clone()) {
            app_dir::renew_work(Path::new("."), &app.name)?;
        }
        let label = app.security.mount_label.as_ref();
        self.storage(manifest)?
            .overlay(&app.name, &app.image.layers, label)
    }

    pub(super) fn storage(&mut self, manifest: &PodManifest) -> Result<&Storage, StartFailure> {
        if self.storage.is_none() {
            let mount_points = mount_points::open_or_make(Path::new(&variable(ENV_RUN)?))?;
            let layers = PathBuf::from(variable(ENV_LAYERS_DIR)?);
            let discard = manifest.remove_on_exit;
            let ids = self.ids.clone();
            let storage = Storage::open(&layers, Path::new("."), mount_points, discard, ids)?;
            self.storage = Some(storage);
        }
        self.storage
            .as_ref()
            .ok_or_else(|| StartFailure::other("the image store is not open"))
    }

    pub(super) fn open_volumes(&self, manifest: &PodManifest) -> Result<Volumes, StartFailure> {
        let places = VolumePlaces {
            pod: PathBuf::from("."),
            data: PathBuf::from(variable(ENV_DIR)?),
            layers: PathBuf::from(variable(ENV_LAYERS_DIR)?),
        };
        let label = manifest.selinux.as_ref();
        let label = label.map(|labels| labels.mount_label.clone());
        let ids = self.ids.clone();
        Ok(Volumes::new(&manifest.volumes, places, ids, label))
    }

    /// What is mounted in an app beside its root filesystem, attached to nothing.
    ///
    /// # Errors
    /// What failed, for which volume or place.
    pub fn mounts(
        &mut self,
        manifest: &PodManifest,
        app: &App,
    ) -> Result<Vec<OwnedFd>, StartFailure> {
        let mounts = app.mounts.iter();
        let mounts = mounts.map(|mount| self.mount(manifest, app, mount));
        let mut made = mounts.collect::<Result<Vec<_>, _>>()?;
        if let Some(message) = &app.termination_message {
            // The last one, so that nothing hides it.
            made.push(self.mount(manifest, app, &of_last_words(app, message))?);
        }
        Ok(made)
    }

    /// One of these.
    ///
    /// # Errors
    /// What failed, for which volume or place.
    pub fn mount(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        mount: &Mount,
    ) -> Result<OwnedFd, StartFailure> {
        let root = self.ids().map_or((Uid::ROOT, Gid::ROOT), PodIds::root);
        let label = app.security.mount_label.as_ref();
        match &mount.source {
            MountSource::Notify => return app_notify::socket_of(&self.run_dir, &app.name),
            MountSource::Credentials { directory, names } => {
                let made = credentials::detached(directory.as_deref(), names, root, label);
                return made.map_err(|failure| failure.of_app(&app.name));
            }
            _ => {}
        }
        let volumes = match self.volumes.take() {
            Some(volumes) => volumes,
            None => self.open_volumes(manifest)?,
        };
        let volumes = self.volumes.insert(volumes);
        volumes.mount(mount, label)
    }

    /// Makes the directory of an app that joins the running pod.
    ///
    /// # Errors
    /// What failed, on what; nothing of it is left then.
    pub fn make_app(&self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        let layers = PathBuf::from(variable(ENV_LAYERS_DIR)?);
        let top = app.image.layers.last();
        let top = top.map(|layer| tree_of(&layers, layer));
        let ids = manifest.user_namespace.as_ref();
        let pod = Path::new(".");
        Ok(app_dir::make(pod, &app.name, top.as_deref(), ids)?)
    }

    /// Changes the limits of an app that runs, to all of these.
    ///
    /// # Errors
    /// Why that can't be; the limits are what they were then.
    pub fn update(&self, app: &AppName, resources: &Resources) -> Result<(), StartFailure> {
        Ok(self.cgroups()?.update_in_time(app, resources)?)
    }

    /// What an app uses.
    pub fn stats(&self, app: &AppName) -> AppStats {
        let counted = self.cgroups().map(|cgroups| {
            cgroups.count_disks();
            cgroups.statistics(app)
        });
        counted.unwrap_or_default().of_app(app.clone())
    }

    /// What all apps use together.
    pub fn stats_of_pod(&self) -> Usage {
        let counted = self.cgroups().map(PodCgroups::statistics_of_pod);
        counted.unwrap_or_default().into()
    }

    /// Removes the cgroups, with whatever still runs in them.
    ///
    /// # Errors
    /// If one can't be removed.
    pub fn remove_cgroups(&mut self) -> Result<(), StartFailure> {
        let cgroups = self.cgroups.take();
        Ok(cgroups.map_or(Ok(()), |cgroups| cgroups.remove())?)
    }
}
