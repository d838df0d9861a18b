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

impl PodCgroups {
    /// Descriptors for pod init itself: the directory for `CLONE_INTO_CGROUP`, or `tasks` files.
    ///
    /// # Errors
    /// What could not be opened, and why.
    pub fn for_init(&self) -> Result<(Option<OwnedFd>, Vec<OwnedFd>), CgroupError> {
        match self.placement.version {
            Version::None => Ok((None, Vec::new())),
            Version::V1 => Ok((None, open_tasks(self.folders.iter())?)),
            Version::V2 => {
                let folder = self.folders.first().map(|folder| folder.join(INIT_LEAF));
                let folder = folder.map(|folder| open_directory(&folder)).transpose()?;
                Ok((folder, Vec::new()))
            }
        }
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
        .map(|folder| directory::open(&folder.join("tasks"), OFlags::WRONLY))
        .collect()
}

fn open_directory(folder: &Path) -> Result<OwnedFd, CgroupError> {
    directory::open(folder, OFlags::RDONLY | OFlags::DIRECTORY)
}
