//! The cgroups of one pod.

mod counting;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use pod::AppName;
use pod::manifest::{CgroupParent, DeviceRule, Limit, Resources};
use pod::processes::PodCgroup;
use rustix::fs::{Gid, OFlags, Uid};

use super::aside;
use super::devices;
use super::directory;
use super::error::CgroupError;
use super::further::Further;
use super::limits::{self, Settings, Undo};
use super::monitor_seat::MonitorSeat;
use super::placement::{self, Hierarchy, INIT_LEAF, Placement, Version};
use super::record;
use super::removal;
use super::scope;
use super::statistics::Statistics;
use super::weight;

/// Below the cgroup of an app that is systemd: what that may do with what it likes, and where commands go.
pub(super) const SERVICES_LEAF: &str = "services";
pub(super) const COMMANDS_LEAF: &str = "commands";
/// What belongs to whom a cgroup is delegated to, beside its directory (cgroups(7)).
const DELEGATED: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/// How many cgroups such an app may make, each of which takes memory of the kernel; and how deep: a path of the longest names
/// still leads to the last.
const BOUNDS: [(&str, &str); 2] = [
    ("cgroup.max.descendants", "4096"),
    ("cgroup.max.depth", "12"),
];

/// The cgroups of one pod.
#[derive(Debug)]
pub struct PodCgroups {
    pub(super) placement: Placement,
    /// The pod's directory in each hierarchy.
    pub(super) folders: Vec<PathBuf>,
    /// What it uses if asked.
    further: Further,
    /// On version 1: its directory among those by which processes are stopped. Made when an app is first paused.
    pub(super) freezer: Option<PathBuf>,
    /// Where the monitor goes, below a parent that somebody has chosen.
    pub(super) monitor: Vec<MonitorSeat>,
    /// Whether an app has asked for a weight, so that the pod's is not the usual one.
    is_weighted: Cell<bool>,
    /// Whether the pod itself has one, whatever its apps have.
    has_own_weight: Cell<bool>,
}

impl PodCgroups {
    /// Finds where the cgroups of a pod go, which are called `fairing-NAME`: below `parent`, if there is one. None is made
    /// yet, but the scope of a slice, which this process goes into.
    ///
    /// # Errors
    /// If what is mounted can't be read, or there is no such scope.
    pub fn find(name: &str, parent: Option<&CgroupParent>) -> Result<Self, CgroupError> {
        match parent {
            None => Ok(Self::at(Placement::find()?, name)),
            Some(CgroupParent::Slice(slice)) => {
                scope::enter(name, slice)?;
                Ok(Self::at(Placement::find()?, name))
            }
            Some(CgroupParent::Cgroupfs(parent)) => {
                let parent = parent.below_root();
                let (placement, mounted) = Placement::below(parent)?;
                let monitor = MonitorSeat::all(&mounted, parent, &folder_name(name));
                Ok(Self {
                    monitor,
                    ..Self::at(placement, name)
                })
            }
        }
    }

    /// Those of a pod in a machine that has nothing but the pod, and takes all with it when it ends: below the root of the
    /// version 2 that is mounted there. The pod has no apps yet.
    ///
    /// # Errors
    /// What could not be made, and why.
    pub fn create_in_machine(name: &str, mount_point: &Path) -> Result<Self, CgroupError> {
        let cgroups = Self::at(Placement::unified(mount_point), name);
        cgroups.make_all()?;
        Ok(cgroups)
    }

    fn at(mut placement: Placement, name: &str) -> Self {
        let folder = |hierarchy: &Hierarchy| hierarchy.parent().join(folder_name(name));
        let further = Further::new(std::mem::take(&mut placement.further), folder);
        Self {
            further,
            folders: placement.hierarchies.iter().map(folder).collect(),
            freezer: placement.freezer.as_ref().map(folder),
            placement,
            monitor: Vec::new(),
            is_weighted: Cell::new(false),
            has_own_weight: Cell::new(false),
        }
    }

    /// Makes the cgroup of a pod that has no apps yet. What may be made, now and later, is written down in `run_dir` first,
    /// for `gc`.
    ///
    /// # Errors
    /// What could not be made, and why.
    pub fn make(&self, run_dir: &Path) -> Result<(), CgroupError> {
        let of_monitor: Vec<PathBuf> = self.monitor.iter().map(MonitorSeat::folder).collect();
        let of_monitor = of_monitor.iter().map(PathBuf::as_path);
        record::store(run_dir, self.all().chain(of_monitor))?;
        self.make_all()
    }

    fn make_all(&self) -> Result<(), CgroupError> {
        self.make_pod().inspect_err(|_| {
            // The first failure is the one to tell of; `gc` repeats this one.
            let _ = self.remove();
        })
    }

    fn make_pod(&self) -> Result<(), CgroupError> {
        self.monitor.iter().try_for_each(MonitorSeat::enter)?;
        if self.monitor.is_empty() {
            // Of a given parent, controllers have been handed on as far as that goes.
            self.placement.make_room()?;
        }
        for folder in &self.folders {
            directory::make(folder)?;
            if self.placement.version == Version::V2 {
                placement::enable_controllers(folder)?;
                directory::make(&folder.join(INIT_LEAF))?;
            }
        }
        Ok(())
    }

    /// Limits all apps together, before the first is added.
    ///
    /// # Errors
    /// If the host can't limit that.
    pub fn limit_pod(&self, resources: &Resources) -> Result<(), CgroupError> {
        match resources.is_unlimited() {
            true => Ok(()),
            false => self.apply_to_pod(resources),
        }
    }

    /// Changes those limits of a running pod that are given, without waiting for the kernel longer than a moment. Only for a
    /// process with one thread.
    ///
    /// # Errors
    /// If the host can't limit that, the pod uses more memory than it may have, or it took too long.
    pub fn update_pod_in_time(&self, resources: &Resources) -> Result<(), CgroupError> {
        let version = self.placement.version;
        let needed = self.needed(&Settings::new(version, resources)?);
        let hierarchies = self.placement.hierarchies.iter();
        let joined: Vec<&Hierarchy> = hierarchies.chain(self.further.for_all()).collect();
        let is_joined = |controller: &&&str| joined.iter().any(|h| h.has(controller));
        if version == Version::V1
            && let Some(controller) = needed.iter().find(|controller| !is_joined(controller))
        {
            return Err(CgroupError::NotJoined {
                what: "the pod".to_owned(),
                controller,
            });
        }
        // A process aside has a memory of its own.
        let has_own_weight = resources.cpu.shares.is_some() || self.has_own_weight.get();
        self.has_own_weight.set(has_own_weight);
        let undo = self.undo(resources, &self.places_of_pod())?;
        let change = || self.apply_to_pod(resources).map_err(|e| undo.after(e));
        aside::change_limits(resources, &undo, change)
    }

    /// The controllers that limits need.
    fn needed(&self, settings: &Settings) -> BTreeSet<&'static str> {
        let has = |controller: &str| {
            let mut hierarchies = self.placement.hierarchies.iter();
            hierarchies.any(|hierarchy| hierarchy.has(controller))
        };
        settings.controllers(|controller| {
            self.placement.version != Version::V1 || has(controller) || self.further.has(controller)
        })
    }

    /// The pod's directory in each hierarchy, those that it has come to use included.
    fn places_of_pod(&self) -> Vec<(&Hierarchy, PathBuf)> {
        let main = self.placement.hierarchies.iter().zip(&self.folders);
        let places = main.chain(self.further.made());
        places.map(|(h, folder)| (h, folder.clone())).collect()
    }

    /// How to undo limits in these directories.
    fn undo(
        &self,
        resources: &Resources,
        places: &[(&Hierarchy, PathBuf)],
    ) -> Result<Undo, CgroupError> {
        Ok(Settings::new(self.placement.version, resources)?.undo(places))
    }

    fn apply_to_pod(&self, resources: &Resources) -> Result<(), CgroupError> {
        let settings = Settings::new(self.placement.version, resources)?;
        if resources.cpu.shares.is_some() {
            self.has_own_weight.set(true);
        }
        let needed = self.needed(&settings);
        self.further
            .for_pod(&self.placement, &self.folders, &needed)?;
        let places = self.places_of_pod();
        self.check_use(resources, &places)?;
        settings.apply(&places)
    }

    /// Version 1 would say so itself, after some time; version 2 would kill.
    fn check_use(
        &self,
        resources: &Resources,
        places: &[(&Hierarchy, PathBuf)],
    ) -> Result<(), CgroupError> {
        let Some(limit) = resources.memory.limit.and_then(Limit::value) else {
            return Ok(());
        };
        match Statistics::memory(self.placement.version, places) {
            Some(used) if limit < used => Err(CgroupError::LimitBelowUse { limit, used }),
            _ => Ok(()),
        }
    }

    /// Makes the cgroup of an app, with its limits. Either it is there afterwards as asked for, or not at all.
    ///
    /// # Errors
    /// What could not be made, and why.
    pub fn add_app(&self, app: &AppName, resources: &Resources) -> Result<(), CgroupError> {
        let mut made = Vec::new();
        let result = self.make_app(app, resources, &mut made);
        if result.is_err() {
            for folder in made {
                // The failure that led here is the one to tell of; the pod's end repeats this one.
                let _ = removal::remove_tree(&folder);
            }
            self.further.forget(app);
        }
        result
    }

    fn make_app(
        &self,
        app: &AppName,
        resources: &Resources,
        made: &mut Vec<PathBuf>,
    ) -> Result<(), CgroupError> {
        let settings = Settings::new(self.placement.version, resources)?;
        for (_, folder) in &self.places(app) {
            if !directory::make(folder)? {
                return Err(CgroupError::Exists(folder.clone()));
            }
            made.push(folder.clone());
        }
        let needed = self.needed(&settings);
        self.further
            .for_app(&self.placement, &self.folders, app, &needed, made)?;
        settings.apply(&self.places(app))?;
        self.weigh(resources)
    }

    /// Gives the pod the weight that its apps have together, once one of them has asked for one.
    fn weigh(&self, resources: &Resources) -> Result<(), CgroupError> {
        let asks = resources.cpu.shares.is_some();
        if self.has_own_weight.get() {
            return Ok(());
        }
        if !self.is_weighted.replace(asks || self.is_weighted.get()) && !asks {
            return Ok(());
        }
        let hierarchies = self.placement.hierarchies.iter();
        weight::add_up(self.placement.version, hierarchies.zip(&self.folders))
    }

    /// Divides the cgroup of an app that is systemd: one part is delegated to `owner`, if that is not root, and one is for
    /// commands that enter. The app's limits are above both.
    ///
    /// # Errors
    /// If the host's cgroups can't be delegated, or the kernel says so.
    pub fn divide_app(&self, app: &AppName, owner: Option<(Uid, Gid)>) -> Result<(), CgroupError> {
        let places = self.places(app);
        let (Version::V2, Some((_, folder))) = (self.placement.version, places.first()) else {
            return Err(CgroupError::NotUnified);
        };
        placement::enable_controllers(folder)?;
        for (file, most) in BOUNDS {
            directory::write(&folder.join(file), most)?;
        }
        directory::make(&folder.join(COMMANDS_LEAF))?;
        let services = folder.join(SERVICES_LEAF);
        directory::make(&services)?;
        let Some((user, group)) = owner else {
            return Ok(());
        };
        let files = DELEGATED.iter().map(|file| services.join(file));
        for path in [services.clone()].into_iter().chain(files) {
            chown(&path, Some(user.as_raw()), Some(group.as_raw()))
                .map_err(CgroupError::io("delegate", &path))?;
        }
        Ok(())
    }

    /// Lets an app use the devices that every app has, those of these rules, and no others.
    ///
    /// # Errors
    /// If the host has nothing that could forbid the rest.
    pub fn restrict_devices(&self, app: &AppName, rules: &[DeviceRule]) -> Result<(), CgroupError> {
        let rules = devices::with_usual(rules);
        let version = self.placement.version;
        match version {
            Version::None => return Err(CgroupError::NotMounted),
            Version::V1 => {
                let needed = BTreeSet::from(["devices"]);
                let (placement, folders) = (&self.placement, &self.folders);
                let mut made = Vec::new();
                self.further
                    .for_app(placement, folders, app, &needed, &mut made)?;
            }
            Version::V2 => {}
        }
        let places = self.places(app);
        let is_one = |(hierarchy, _): &&(&Hierarchy, PathBuf)| {
            version == Version::V2 || hierarchy.has("devices")
        };
        let (_, folder) = places
            .iter()
            .find(is_one)
            .ok_or(CgroupError::NoController("devices"))?;
        match version {
            Version::V1 => devices::restrict_v1(folder, &rules),
            Version::V2 | Version::None => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY;
                devices::restrict_v2(folder, &directory::open(folder, flags)?, &rules)
            }
        }
    }

    /// Bounds the processes of an app, where the host can count them.
    ///
    /// # Errors
    /// If the kernel says so.
    pub fn bound_processes(&self, app: &AppName, most: Limit) -> Result<(), CgroupError> {
        limits::bound_processes(self.placement.version, &self.places(app), most)
    }

    /// Kills everything in an app's cgroup, and waits for a while until it is gone.
    pub fn end_app(&self, app: &AppName) {
        if let Some((_, folder)) = self.places(app).first() {
            removal::end_all(folder);
        }
    }

    /// Whether the host has cgroups.
    pub fn are_there(&self) -> bool {
        !self.folders.is_empty()
    }

    /// Removes an app's cgroup, with whatever still runs in it. One that isn't there is removed already.
    ///
    /// # Errors
    /// If it can't be removed.
    pub fn remove_app(&self, app: &AppName) -> Result<(), CgroupError> {
        self.existing()
            .try_for_each(|folder| removal::remove_tree(&folder.join(app.as_str())))?;
        self.further.forget(app);
        self.weigh(&Resources::default())
    }

    /// Changes those of an app's limits that are given.
    ///
    /// # Errors
    /// If the host can't limit that, or the app uses more memory than it may have.
    pub fn update(&self, app: &AppName, resources: &Resources) -> Result<(), CgroupError> {
        let version = self.placement.version;
        let settings = Settings::new(version, resources)?;
        let mut places = self.places(app);
        self.check_use(resources, &places)?;
        let needed = self.needed(&settings);
        match version {
            Version::V1 => {
                let joined = |controller: &&&str| places.iter().any(|(h, _)| h.has(controller));
                if let Some(controller) = needed.iter().find(|controller| !joined(controller)) {
                    let what = format!("app {app}");
                    return Err(CgroupError::NotJoined { what, controller });
                }
            }
            Version::V2 | Version::None => {
                let mut made = Vec::new();
                self.further
                    .for_app(&self.placement, &self.folders, app, &needed, &mut made)?;
                places = self.places(app);
            }
        }
        // A controller that was handed on just now has nothing to undo but what it begins with.
        let undo = settings.undo(&places);
        let applied = settings.apply(&places).and_then(|()| self.weigh(resources));
        applied.map_err(|failure| undo.after(failure))
    }

    /// The same, without waiting for the kernel longer than a moment: it frees memory before it answers, and an app that
    /// goes on taking some could keep it busy. Only for a process with one thread.
    ///
    /// # Errors
    /// As [`Self::update`], and if it took too long.
    pub fn update_in_time(&self, app: &AppName, resources: &Resources) -> Result<(), CgroupError> {
        if resources.cpu.shares.is_some() {
            // A process aside has a memory of its own.
            self.is_weighted.set(true);
        }
        let undo = self.undo(resources, &self.places(app))?;
        aside::change_limits(resources, &undo, || self.update(app, resources))
    }

    /// What the pod's cgroup and those of its apps are called.
    pub(crate) fn names(&self) -> PodCgroup {
        let folder = self.folders.first();
        let name = folder.and_then(|folder| folder.file_name());
        let apps = folder.and_then(|folder| std::fs::read_dir(folder).ok());
        let apps = apps.into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.parse().ok()
        });
        PodCgroup {
            pod: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            apps: apps.collect(),
        }
    }

    /// The pod's cgroup below the root of its hierarchy, as plugins of networks are told of it.
    pub fn path(&self) -> Option<String> {
        let root = &self.placement.hierarchies.first()?.mount_point;
        let below = self.folders.first()?.strip_prefix(root).ok()?;
        Some(format!("/{}", below.to_str()?))
    }

    /// Removes the cgroups, with whatever still runs in them. This process goes back to where it was.
    ///
    /// # Errors
    /// If one can't be removed.
    pub fn remove(&self) -> Result<(), CgroupError> {
        self.existing().try_for_each(removal::remove_tree)?;
        self.monitor.iter().try_for_each(MonitorSeat::leave)
    }

    /// All directories that are there, or may be.
    fn existing(&self) -> impl Iterator<Item = &Path> {
        let further = self.further.made().map(|(_, folder)| folder);
        let all = self.freezer.iter().chain(&self.folders).chain(further);
        all.map(PathBuf::as_path)
    }

    /// All directories that are the pod's or may become so. First the one that stops processes: what is stopped
    /// can't be killed.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        let all = self.freezer.iter().chain(&self.folders);
        all.chain(self.further.all()).map(PathBuf::as_path)
    }

    /// An app's directory in each hierarchy.
    pub(super) fn places(&self, app: &AppName) -> Vec<(&Hierarchy, PathBuf)> {
        let folders = self.folders.iter().map(|folder| folder.join(app.as_str()));
        let main = self.placement.hierarchies.iter().zip(folders);
        main.chain(self.further.places_of(app)).collect()
    }
}

fn folder_name(pod: &str) -> String {
    format!("fairing-{pod}")
}

/// Removes what is recorded in a pod's runtime directory, for `gc`.
///
/// # Errors
/// If a cgroup can't be removed.
pub fn remove_recorded(run_dir: &Path) -> Result<(), CgroupError> {
    let recorded = record::load(run_dir)?;
    recorded
        .iter()
        .try_for_each(|folder| removal::remove_tree(folder))
}
