//! The monitor's own place below a given parent: a restart of whoever started it doesn't touch it there, and what it uses is
//! counted where the pod is.
//!
//! In every hierarchy that is mounted, also those of which the pod uses nothing: what pod init and the apps are not put
//! elsewhere in, they inherit.

use std::path::{Path, PathBuf};

use super::directory;
use super::error::CgroupError;
use super::mountinfo::Mounted;

/// What a fresh cgroup of the controller cpuset lacks on version 1, and no process enters without.
const CPUSET_FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

/// The controllers of version 2 that something of the pod may be limited by.
const V2_CONTROLLERS: [&str; 6] = ["cpu", "memory", "pids", "io", "cpuset", "hugetlb"];

/// The monitor's cgroup in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MonitorSeat {
    mount_point: PathBuf,
    /// Below the mount point: the monitor's cgroup, and where it was before.
    leaf: PathBuf,
    origin: PathBuf,
    is_v2: bool,
}

impl MonitorSeat {
    /// Those of a monitor in these hierarchies, beside the pod's cgroups of this name.
    pub(super) fn all(mounted: &[Mounted], parent: &Path, pod: &str) -> Vec<Self> {
        let mut seats: Vec<Self> = Vec::new();
        let mut seen = Vec::new();
        for one in mounted {
            // One hierarchy may be mounted twice.
            if seen.contains(&&one.controllers) {
                continue;
            }
            seen.push(&one.controllers);
            seats.push(Self {
                mount_point: one.mount_point.clone(),
                leaf: parent.join(format!("{pod}-monitor")),
                origin: one.own.clone(),
                is_v2: one.controllers.is_none(),
            });
        }
        seats
    }

    /// Its directory.
    pub(super) fn folder(&self) -> PathBuf {
        self.mount_point.join(&self.leaf)
    }

    /// Makes it, and the parent if that is missing, and moves this process there.
    pub(super) fn enter(&self) -> Result<(), CgroupError> {
        let mut folder = self.mount_point.clone();
        for name in &self.leaf {
            if self.is_v2 {
                // Where somebody has put processes, or who has delegated keeps a controller, there are fewer of them below.
                hand_on_controllers(&folder);
            }
            let above = folder.clone();
            folder.push(name);
            directory::make(&folder)?;
            for file in CPUSET_FILES.iter().filter(|_| !self.is_v2) {
                inherit(&above.join(file), &folder.join(file))?;
            }
        }
        directory::move_process("0", &folder)
    }

    /// Moves this process back to where it was, or to the root if that is gone, and removes its place.
    pub(super) fn leave(&self) -> Result<(), CgroupError> {
        if !self.folder().exists() {
            return Ok(());
        }
        directory::move_process("0", &self.mount_point.join(&self.origin))
            .or_else(|_| directory::move_process("0", &self.mount_point))?;
        super::removal::remove_tree(&self.folder())
    }
}

/// Hands each of these that is there on to the children of a version 2 cgroup, as far as that goes.
fn hand_on_controllers(folder: &Path) {
    let read = |file: &str| directory::read(&folder.join(file)).unwrap_or_default();
    let handed_on = read("cgroup.subtree_control");
    let there = read("cgroup.controllers");
    let missing = there
        .split_whitespace()
        .filter(|one| V2_CONTROLLERS.contains(one))
        .filter(|one| !handed_on.split_whitespace().any(|other| other == *one));
    for controller in missing {
        let _ = directory::write(
            &folder.join("cgroup.subtree_control"),
            &format!("+{controller}"),
        );
    }
}

/// Fills an empty file from the one above. There may be no such file.
fn inherit(above: &Path, file: &Path) -> Result<(), CgroupError> {
    if !file.exists() || !directory::read(file)?.trim().is_empty() {
        return Ok(());
    }
    directory::write(file, directory::read(above)?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_has_one_seat_in_each_hierarchy() {
        let of = |controllers: Option<&str>, own: &str| Mounted {
            controllers: controllers.map(|one| vec![one.to_owned()]),
            mount_point: format!("/c/{}", controllers.unwrap_or("v2")).into(),
            own: own.into(),
        };
        let mounted = [
            of(Some("memory"), "a"),
            of(Some("name=systemd"), "b"),
            of(None, ""),
            of(Some("memory"), "a"),
        ];
        let seats = MonitorSeat::all(&mounted, Path::new("kube/pod"), "fairing-1");
        let folders: Vec<_> = seats.iter().map(MonitorSeat::folder).collect();
        let expected = ["memory", "name=systemd", "v2"]
            .map(|one| PathBuf::from(format!("/c/{one}/kube/pod/fairing-1-monitor")));
        assert_eq!(folders, expected);
    }
}
