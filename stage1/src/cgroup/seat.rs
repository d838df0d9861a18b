//! What of a pod's cgroups is handed over: descriptors by which pod init gets itself and apps into them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use pod::AppName;
use rustix::fs::OFlags;

use super::directory;
use super::error::CgroupError;
use super::placement::{Hierarchy, INIT_LEAF, Version};
use super::pod_cgroups::{COMMANDS_LEAF, PodCgroups, SERVICES_LEAF};
use crate::app::cgroup::{CgroupSeat, HierarchyTasks, Leaf, Leaves};

/// By which a thread moves itself, on version 1.
const TASKS: &str = "tasks";

impl PodCgroups {
    /// Whether they are there before pod init's process is: on version 2 it begins in its cgroup, and below a parent that
    /// somebody has chosen it inherits some of the monitor's. Else, on version 1, the process goes into them by itself, by
    /// what [`Self::tasks_of_init`] names. (On version 2 the kernel would wait for all processors to let it.)
    pub fn are_made_first(&self) -> bool {
        self.placement.version == Version::V2 || !self.monitor.is_empty()
    }

    /// The directory in which pod init's process begins.
    ///
    /// # Errors
    /// If it could not be opened.
    pub fn directory_of_init(&self) -> Result<Option<OwnedFd>, CgroupError> {
        let folder = self.folders.first();
        let folder = folder.filter(|_| self.placement.version == Version::V2);
        let folder = folder.map(|folder| open_directory(&folder.join(INIT_LEAF)));
        folder.transpose()
    }

    /// The files that pod init's process writes to, to be in its cgroup in each hierarchy of version 1.
    pub fn tasks_of_init(&self) -> Vec<PathBuf> {
        let folders = match self.placement.version {
            Version::V1 => self.folders.as_slice(),
            Version::None | Version::V2 => &[],
        };
        folders.iter().map(|folder| folder.join(TASKS)).collect()
    }

    /// The seat by which pod init puts an app into its cgroup. `in_user_namespace`: pod init is not root here. `divided`: by
    /// [`Self::divide_app`].
    ///
    /// # Errors
    /// What could not be opened, and why.
    pub fn for_app(
        &self,
        app: &AppName,
        in_user_namespace: bool,
        divided: bool,
    ) -> Result<CgroupSeat, CgroupError> {
        let for_writing = |folder: &Path, name| {
            let open = |()| directory::open(&folder.join(name), OFlags::WRONLY);
            in_user_namespace.then_some(()).map(open).transpose()
        };
        let places = self.places(app);
        let with = |controller: &str| {
            let has = |hierarchy: &Hierarchy| hierarchy.controllers.iter().any(|c| c == controller);
            places.iter().find(|(hierarchy, _)| has(hierarchy))
        };
        let Some((_, folder)) = with("memory").or(places.first()) else {
            return Ok(CgroupSeat::None);
        };
        Ok(match self.placement.version {
            Version::None => CgroupSeat::None,
            Version::V1 => CgroupSeat::V1 {
                tasks: places
                    .iter()
                    .zip(open_tasks(places.iter().map(|(_, folder)| folder))?)
                    .map(|((hierarchy, _), file)| HierarchyTasks {
                        controllers: hierarchy.controllers.join(","),
                        file,
                    })
                    .collect(),
                directory: open_directory(folder)?,
                pids_max: with("pids")
                    .map(|(_, folder)| directory::open(&folder.join("pids.max"), OFlags::WRONLY))
                    .transpose()?,
                // Where memory isn't counted, there is nothing to tell of either.
                event_control: for_writing(folder, "cgroup.event_control").ok().flatten(),
            },
            Version::V2 => {
                let leaf = |name| {
                    let folder = folder.join(name);
                    Ok::<_, CgroupError>(Leaf {
                        directory: open_directory(&folder)?,
                        procs: for_writing(&folder, "cgroup.procs")?,
                    })
                };
                let leaves = match divided {
                    true => Some(Leaves {
                        services: leaf(SERVICES_LEAF)?,
                        commands: leaf(COMMANDS_LEAF)?,
                    }),
                    false => None,
                };
                CgroupSeat::V2 {
                    directory: open_directory(folder)?,
                    procs: for_writing(folder, "cgroup.procs")?,
                    // Linux 5.14.
                    kill: for_writing(folder, "cgroup.kill").ok().flatten(),
                    leaves,
                }
            }
        })
    }
}

fn open_tasks<'a>(folders: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<OwnedFd>, CgroupError> {
    folders
        .map(|folder| directory::open(&folder.join(TASKS), OFlags::WRONLY))
        .collect()
}

fn open_directory(folder: &Path) -> Result<OwnedFd, CgroupError> {
    directory::open(folder, OFlags::RDONLY | OFlags::DIRECTORY)
}
