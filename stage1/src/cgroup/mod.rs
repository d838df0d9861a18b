//! The cgroups of a pod: one for the pod, and below it one for each app.
//!
//! On version 1 they lie below the monitor's own cgroup in each hierarchy, so that the limits of a service hold
//! for its pods. On version 2 a cgroup with processes can't have children with controllers: there they lie
//! below the monitor's cgroup if that was delegated to it, and below the root otherwise.

mod limits;
mod mountinfo;
mod placement;
mod record;
mod removal;

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::StartFailure;
use crate::protocol::CgroupFds;
use pod::manifest::{PodManifest, Resources};
use pod::{AppName, PodUuid};
use rustix::fs::{CWD, Mode, OFlags, openat};

use placement::{Hierarchy, Placement, Version};

/// Where pod init sits on version 2, whose inner cgroups hold no processes. No app can be called so.
const INIT_LEAF: &str = "_init";

/// The cgroups of one pod.
#[derive(Debug)]
pub struct PodCgroups {
    placement: Placement,
    /// The pod's folder in each hierarchy.
    folders: Vec<PathBuf>,
}

impl PodCgroups {
    /// Makes the cgroups of a pod and its apps, with the apps' limits. What is about to be made is written
    /// down in `run_dir` first, for `gc`.
    ///
    /// # Errors
    /// What could not be made, and why.
    pub fn create(
        uuid: PodUuid,
        manifest: &PodManifest,
        run_dir: &Path,
    ) -> Result<Self, StartFailure> {
        let placement = Placement::find(manifest.apps.iter().any(|a| !a.resources.is_unlimited()))?;
        let name = format!("fairing-{uuid}");
        let folders: Vec<PathBuf> = placement
            .hierarchies
            .iter()
            .map(|h| h.parent().join(&name))
            .collect();
        record::store(run_dir, &folders)?;
        let cgroups = Self { placement, folders };
        match cgroups.make(manifest) {
            Ok(()) => Ok(cgroups),
            Err(failure) => {
                // The first failure is the one to tell of; `gc` repeats this one.
                let _ = cgroups.remove();
                Err(failure)
            }
        }
    }

    fn make(&self, manifest: &PodManifest) -> Result<(), StartFailure> {
        self.placement.make_room()?;
        for folder in &self.folders {
            make_folder(folder)?;
            if self.placement.version == Version::V2 {
                placement::enable_controllers(folder)?;
                make_folder(&folder.join(INIT_LEAF))?;
            }
            for app in &manifest.apps {
                make_folder(&folder.join(app.name.as_str()))?;
            }
        }
        for app in &manifest.apps {
            self.limit(&app.name, &app.resources)?;
        }
        Ok(())
    }

    fn limit(&self, app: &AppName, resources: &Resources) -> Result<(), StartFailure> {
        if resources.is_unlimited() {
            return Ok(());
        }
        let folders = self.folders.iter().map(|folder| folder.join(app.as_str()));
        let hierarchies: Vec<(&Hierarchy, PathBuf)> =
            self.placement.hierarchies.iter().zip(folders).collect();
        limits::apply(self.placement.version, &hierarchies, app, resources)
    }

    /// The pod's cgroup below the root of its hierarchy, as plugins of networks are told of it.
    pub fn path(&self) -> Option<String> {
        let root = &self.placement.hierarchies.first()?.mount_point;
        let below = self.folders.first()?.strip_prefix(root).ok()?;
        Some(format!("/{}", below.to_str()?))
    }

    /// Descriptors for pod init itself: folder for `CLONE_INTO_CGROUP`, or `tasks` files.
    ///
    /// # Errors
    /// What could not be opened, and why.
    pub fn for_init(&self) -> Result<(Option<OwnedFd>, Vec<OwnedFd>), StartFailure> {
        match self.placement.version {
            Version::None => Ok((None, Vec::new())),
            Version::V1 => {
                let tasks = self
                    .folders
                    .iter()
                    .map(|folder| open_tasks(folder))
                    .collect();
                Ok((None, tasks_or_failure(tasks)?))
            }
            Version::V2 => {
                let folder = self.folders.first().map(|folder| folder.join(INIT_LEAF));
                Ok((
                    folder.map(|folder| open_folder(&folder)).transpose()?,
                    Vec::new(),
                ))
            }
        }
    }

    /// Descriptors by which pod init puts an app into its cgroup.
    ///
    /// # Errors
    /// What could not be opened, and why.
    pub fn for_app(&self, app: &AppName) -> Result<(CgroupFds, Vec<OwnedFd>), StartFailure> {
        let mut folders = self.folders.iter().map(|folder| folder.join(app.as_str()));
        match self.placement.version {
            Version::None => Ok((CgroupFds::None, Vec::new())),
            Version::V1 => {
                let folders: Vec<PathBuf> = folders.collect();
                let tasks = folders.iter().map(|folder| open_tasks(folder)).collect();
                let mut fds = tasks_or_failure(tasks)?;
                let hierarchies = fds.len();
                let first = folders.first().cloned().unwrap_or_default();
                fds.push(open(&first.join("cgroup.procs"), OFlags::RDONLY)?);
                Ok((CgroupFds::V1 { hierarchies }, fds))
            }
            Version::V2 => {
                let folder = folders.next().unwrap_or_default();
                Ok((CgroupFds::V2, vec![open_folder(&folder)?]))
            }
        }
    }

    /// How many processes of an app the kernel killed for want of memory.
    pub fn oom_kills(&self, app: &AppName) -> u64 {
        let file = match self.placement.version {
            Version::None => return 0,
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let counts = self.folders.iter().filter_map(|folder| {
            let text = std::fs::read_to_string(folder.join(app.as_str()).join(file)).ok()?;
            let count = text
                .lines()
                .find_map(|line| line.strip_prefix("oom_kill "))?;
            count.trim().parse::<u64>().ok()
        });
        counts.max().unwrap_or(0)
    }

    /// Removes the cgroups. Nothing runs in them any more.
    ///
    /// # Errors
    /// If one can't be removed.
    pub fn remove(&self) -> Result<(), StartFailure> {
        self.folders
            .iter()
            .try_for_each(|folder| removal::remove_tree(folder))
    }
}

/// Removes what is recorded in a pod's runtime folder, for `gc`.
///
/// # Errors
/// If a cgroup can't be removed.
pub fn remove_recorded(run_dir: &Path) -> Result<(), StartFailure> {
    record::load(run_dir)?
        .iter()
        .try_for_each(|folder| removal::remove_tree(folder))
}

fn tasks_or_failure(
    tasks: Vec<Result<OwnedFd, StartFailure>>,
) -> Result<Vec<OwnedFd>, StartFailure> {
    tasks.into_iter().collect()
}

fn open_tasks(folder: &Path) -> Result<OwnedFd, StartFailure> {
    open(&folder.join("tasks"), OFlags::WRONLY)
}

fn open_folder(folder: &Path) -> Result<OwnedFd, StartFailure> {
    open(folder, OFlags::RDONLY | OFlags::DIRECTORY)
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, StartFailure> {
    openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(StartFailure::os(format_args!("open {}", path.display())))
}

fn make_folder(path: &Path) -> Result<(), StartFailure> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(StartFailure::os(format_args!(
            "create the cgroup {}",
            path.display()
        ))(e)),
        _ => Ok(()),
    }
}
