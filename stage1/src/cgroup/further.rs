//! What of cgroups a pod uses only once somebody asks for a limit that needs it: a start pays nothing for the rest.
//!
//! Version 1 has a hierarchy for each: the pod and those apps that ask get a cgroup there, and others stay outside. On
//! version 2 the controllers are handed on to the pod.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pod::AppName;

use super::directory;
use super::error::CgroupError;
use super::placement::{Hierarchy, Placement, Version, enable_further};

/// The controllers that every pod has; the others are handed on when they are needed.
const USUAL: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];
/// What a fresh cgroup of this controller lacks, and no process enters without.
const CPUSET_FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// The hierarchies of version 1 that a pod may come to use, and which of them it does.
#[derive(Debug)]
pub(super) struct Further {
    places: Vec<Place>,
    /// Of version 2: what is handed on already.
    enabled: RefCell<BTreeSet<&'static str>>,
}

#[derive(Debug)]
struct Place {
    hierarchy: Hierarchy,
    /// The pod's directory there.
    folder: PathBuf,
    is_made: Cell<bool>,
    /// Whether every app goes there: the pod has a limit.
    for_all: Cell<bool>,
    apps: RefCell<BTreeSet<AppName>>,
}

impl Further {
    pub(super) fn new(hierarchies: Vec<Hierarchy>, folder: impl Fn(&Hierarchy) -> PathBuf) -> Self {
        let place = |hierarchy: Hierarchy| Place {
            folder: folder(&hierarchy),
            hierarchy,
            is_made: Cell::new(false),
            for_all: Cell::new(false),
            apps: RefCell::default(),
        };
        Self {
            places: hierarchies.into_iter().map(place).collect(),
            enabled: RefCell::default(),
        }
    }

    /// The pod's directories, made or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.places.iter().map(|place| &place.folder)
    }

    /// Those that were made.
    pub(super) fn made(&self) -> impl Iterator<Item = (&Hierarchy, &PathBuf)> {
        let made = self.places.iter().filter(|place| place.is_made.get());
        made.map(|place| (&place.hierarchy, &place.folder))
    }

    /// Whether a pod could come to use this controller, on version 1.
    pub(super) fn has(&self, controller: &str) -> bool {
        let mut places = self.places.iter();
        places.any(|place| place.hierarchy.has(controller))
    }

    /// Those that every app goes to.
    pub(super) fn for_all(&self) -> impl Iterator<Item = &Hierarchy> {
        let all = self.places.iter().filter(|place| place.for_all.get());
        all.map(|place| &place.hierarchy)
    }

    /// Where an app is.
    pub(super) fn places_of(&self, app: &AppName) -> impl Iterator<Item = (&Hierarchy, PathBuf)> {
        let joined = self.places.iter().filter(|p| p.apps.borrow().contains(app));
        joined.map(|place| (&place.hierarchy, place.folder.join(app.as_str())))
    }

    /// Forgets an app, whose cgroups are removed.
    pub(super) fn forget(&self, app: &AppName) {
        for place in &self.places {
            place.apps.borrow_mut().remove(app);
        }
    }

    /// Makes what the limits of the whole pod need. On version 1 every app that comes later goes there.
    pub(super) fn for_pod(
        &self,
        placement: &Placement,
        pod: &[PathBuf],
        controllers: &BTreeSet<&'static str>,
    ) -> Result<(), CgroupError> {
        self.provide(placement, pod, controllers, |place| {
            place.for_all.set(true);
            Ok(())
        })
    }

    /// Makes what the limits of an app need. Its directories that are made are added to `made`.
    pub(super) fn for_app(
        &self,
        placement: &Placement,
        pod: &[PathBuf],
        app: &AppName,
        controllers: &BTreeSet<&'static str>,
        made: &mut Vec<PathBuf>,
    ) -> Result<(), CgroupError> {
        for place in self.places.iter().filter(|place| place.for_all.get()) {
            place.join(app, made)?;
        }
        self.provide(placement, pod, controllers, |place| place.join(app, made))
    }

    fn provide(
        &self,
        placement: &Placement,
        pod: &[PathBuf],
        controllers: &BTreeSet<&'static str>,
        mut join: impl FnMut(&Place) -> Result<(), CgroupError>,
    ) -> Result<(), CgroupError> {
        let unusual = controllers.iter().filter(|c| !USUAL.contains(c));
        if placement.version == Version::V2 {
            return self.enable(placement, pod, unusual.copied());
        }
        for controller in unusual {
            // One may share the hierarchy of a usual one.
            if placement.hierarchies.iter().any(|h| h.has(controller)) {
                continue;
            }
            let mut places = self.places.iter();
            let place = places
                .find(|place| place.hierarchy.has(controller))
                .ok_or(CgroupError::NoController(controller))?;
            place.make()?;
            join(place)?;
        }
        Ok(())
    }

    /// On version 2.
    fn enable(
        &self,
        placement: &Placement,
        pod: &[PathBuf],
        controllers: impl Iterator<Item = &'static str>,
    ) -> Result<(), CgroupError> {
        let mut enabled = self.enabled.borrow_mut();
        let new: Vec<&'static str> = controllers.filter(|c| !enabled.contains(c)).collect();
        let (Some(hierarchy), Some(pod), false) =
            (placement.hierarchies.first(), pod.first(), new.is_empty())
        else {
            return Ok(());
        };
        enable_further(&hierarchy.parent(), &new)?;
        enable_further(pod, &new)?;
        enabled.extend(new);
        Ok(())
    }
}

impl Place {
    fn make(&self) -> Result<(), CgroupError> {
        if self.is_made.get() {
            return Ok(());
        }
        make_entered(&self.folder, &self.hierarchy)?;
        self.is_made.set(true);
        Ok(())
    }

    fn join(&self, app: &AppName, made: &mut Vec<PathBuf>) -> Result<(), CgroupError> {
        if !self.apps.borrow_mut().insert(app.clone()) {
            return Ok(());
        }
        let folder = self.folder.join(app.as_str());
        made.push(folder.clone());
        make_entered(&folder, &self.hierarchy)
    }
}

/// Makes a cgroup that processes can enter.
fn make_entered(folder: &Path, hierarchy: &Hierarchy) -> Result<(), CgroupError> {
    directory::make(folder)?;
    let Some(parent) = folder.parent().filter(|_| hierarchy.has("cpuset")) else {
        return Ok(());
    };
    for file in CPUSET_FILES {
        let all = directory::read(&parent.join(file))?;
        directory::write(&folder.join(file), all.trim())?;
    }
    Ok(())
}

impl Hierarchy {
    /// Whether it has this controller, on version 1.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|one| one == controller)
    }
}
