//! Where a pod's cgroups go.

use std::path::{Path, PathBuf};

use rustix::fs::getxattr;

use super::directory;
use super::error::CgroupError;
use super::mountinfo::{self, Mounted};

/// Where pod init sits on version 2, whose inner cgroups hold no processes. No app can be called so.
pub(super) const INIT_LEAF: &str = "_init";

/// The hierarchies of version 1 that a pod uses.
const V1_CONTROLLERS: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];
/// The one among them that counts processes.
const V1_COUNTER: &str = "pids";
/// Hierarchies of version 1 that a pod uses only if somebody asks for what they limit.
const V1_FURTHER: [&str; 4] = ["blkio", "cpuset", "devices", "hugetlb"];
/// The hierarchy of version 1 that stops processes. A pod has a cgroup in it only once an app is paused.
const V1_FREEZER: &str = "freezer";
/// The controllers of version 2 that a pod uses, where the kernel has them.
const V2_CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// Where the monitor goes when it makes room for pods in a cgroup that was delegated to it.
const MONITOR_LEAF: &str = "fairing-monitor";

/// Which version of cgroups the host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// None: nothing is mounted.
    None,
    /// Version 1, or version 1 with an empty version 2 beside it.
    V1,
    /// Version 2 alone.
    V2,
}

/// One hierarchy that pods go into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Controllers of version 1; empty for version 2.
    pub(super) controllers: Vec<String>,
    pub(super) mount_point: PathBuf,
    /// The cgroup below which the pod's is made, relative to the mount point.
    pub(super) base: PathBuf,
}

impl Hierarchy {
    pub(super) fn parent(&self) -> PathBuf {
        self.mount_point.join(&self.base)
    }
}

/// Where a pod's cgroups go on this host.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(super) version: Version,
    pub(super) hierarchies: Vec<Hierarchy>,
    /// Of version 1: hierarchies that pods go into if asked.
    pub(super) further: Vec<Hierarchy>,
    /// Of version 1: what processes are stopped by.
    pub(super) freezer: Option<Hierarchy>,
    /// On version 2: the cgroup was delegated, so the monitor makes room in it.
    delegated: bool,
}

impl Placement {
    /// Looks at what is mounted.
    pub(super) fn find() -> Result<Self, CgroupError> {
        let mounts = directory::read(Path::new("/proc/self/mountinfo"))?;
        let own = directory::read(Path::new("/proc/self/cgroup"))?;
        Ok(Self::choose(
            mountinfo::hierarchies(&mounts, &own),
            is_delegated,
        ))
    }

    /// Below this cgroup, relative to where a hierarchy is mounted; and all hierarchies.
    pub(super) fn below(parent: &Path) -> Result<(Self, Vec<Mounted>), CgroupError> {
        let mounts = directory::read(Path::new("/proc/self/mountinfo"))?;
        let own = directory::read(Path::new("/proc/self/cgroup"))?;
        let mounted = mountinfo::hierarchies(&mounts, &own);
        let mut placement = Self::choose(mounted.clone(), |_| false);
        let of_pod = placement.hierarchies.iter_mut();
        let all = of_pod.chain(&mut placement.further);
        for hierarchy in all.chain(&mut placement.freezer) {
            hierarchy.base = parent.to_path_buf();
        }
        Ok((placement, mounted))
    }

    /// Below the root of the version 2 that is mounted there.
    pub(super) fn unified(mount_point: &Path) -> Self {
        let root = Mounted {
            controllers: None,
            mount_point: mount_point.to_path_buf(),
            own: PathBuf::new(),
        };
        Self::choose(vec![root], |_| false)
    }

    fn choose(mounted: Vec<Mounted>, is_delegated: impl Fn(&Path) -> bool) -> Self {
        let used = |controllers: &[String]| {
            controllers
                .iter()
                .any(|c| V1_CONTROLLERS.contains(&c.as_str()))
        };
        let mut v1: Vec<Hierarchy> = Vec::new();
        let mut further: Vec<Hierarchy> = Vec::new();
        let mut freezer = None;
        let mut v2 = None;
        for Mounted {
            controllers,
            mount_point,
            own,
        } in mounted
        {
            match controllers {
                Some(controllers) if used(&controllers) => {
                    // One hierarchy may be mounted twice.
                    if !v1.iter().any(|h| h.controllers == controllers) {
                        v1.push(Hierarchy {
                            controllers,
                            mount_point,
                            base: own,
                        });
                    }
                }
                Some(controllers) if controllers.iter().any(|c| c == V1_FREEZER) => {
                    freezer = freezer.or(Some(Hierarchy {
                        controllers,
                        mount_point,
                        base: own,
                    }));
                }
                Some(controllers) => {
                    let is_known = |c: &String| V1_FURTHER.contains(&c.as_str());
                    let is_new = !further.iter().any(|h| h.controllers == controllers);
                    if controllers.iter().any(is_known) && is_new {
                        further.push(Hierarchy {
                            controllers,
                            mount_point,
                            base: own,
                        });
                    }
                }
                None => v2 = v2.or(Some((mount_point, own))),
            }
        }
        if !v1.is_empty() {
            // The one first by which a removal keeps processes from forking on.
            v1.sort_by_key(|hierarchy| !hierarchy.controllers.iter().any(|c| c == V1_COUNTER));
            return Self {
                version: Version::V1,
                hierarchies: v1,
                further,
                freezer,
                delegated: false,
            };
        }
        let Some((mount_point, own)) = v2 else {
            return Self {
                version: Version::None,
                hierarchies: Vec::new(),
                further: Vec::new(),
                freezer: None,
                delegated: false,
            };
        };
        let delegated = !own.as_os_str().is_empty() && is_delegated(&mount_point.join(&own));
        // A monitor that has made room before sits one step down from what was delegated.
        let base = match (delegated, own.file_name()) {
            (true, Some(name)) if name == MONITOR_LEAF => {
                own.parent().map(Path::to_path_buf).unwrap_or_default()
            }
            (true, _) => own,
            (false, _) => PathBuf::new(),
        };
        let hierarchies = vec![Hierarchy {
            controllers: Vec::new(),
            mount_point,
            base,
        }];
        Self {
            version: Version::V2,
            hierarchies,
            further: Vec::new(),
            freezer: None,
            delegated,
        }
    }

    /// On version 2: lets the base have children with controllers.
    pub(super) fn make_room(&self) -> Result<(), CgroupError> {
        let (Version::V2, Some(hierarchy)) = (self.version, self.hierarchies.first()) else {
            return Ok(());
        };
        let base = hierarchy.parent();
        if self.delegated {
            let leaf = base.join(MONITOR_LEAF);
            directory::make(&leaf)?;
            move_processes(&base, &leaf)?;
        }
        enable_controllers(&base)
    }
}

/// A service manager marks what it has delegated (systemd.resource-control(5), `Delegate=`).
fn is_delegated(path: &Path) -> bool {
    let folder = match path.file_name() {
        Some(name) if name == MONITOR_LEAF => path.parent().unwrap_or(path),
        _ => path,
    };
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 4];
        getxattr(folder, *name, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

/// Moves every process out of a version 2 cgroup: not only the monitor may be in it, but also the
/// shell that started it, say. One that is there in the end makes the next step fail.
fn move_processes(from: &Path, to: &Path) -> Result<(), CgroupError> {
    const ROUNDS: usize = 16;
    for _ in 0..ROUNDS {
        let text = directory::read(&from.join("cgroup.procs"))?;
        if text.is_empty() {
            break;
        }
        text.lines()
            .try_for_each(|pid| directory::move_process(pid, to))?;
    }
    Ok(())
}

/// Hands further controllers on to the children of a version 2 cgroup. Those that the kernel doesn't have are left out.
pub(super) fn enable_further(folder: &Path, further: &[&'static str]) -> Result<(), CgroupError> {
    let text = directory::read(&folder.join("cgroup.controllers"))?;
    let there = |controller: &&&str| text.split_whitespace().any(|word| word == **controller);
    let wanted: Vec<String> = further
        .iter()
        .filter(there)
        .map(|controller| format!("+{controller}"))
        .collect();
    match wanted.is_empty() {
        true => Ok(()),
        false => directory::write(&folder.join("cgroup.subtree_control"), &wanted.join(" ")),
    }
}

/// Hands the controllers that pods use on to the children of a version 2 cgroup.
pub(super) fn enable_controllers(folder: &Path) -> Result<(), CgroupError> {
    let text = directory::read(&folder.join("cgroup.controllers"))?;
    let wanted: Vec<String> = text
        .split_whitespace()
        .filter(|controller| V2_CONTROLLERS.contains(controller))
        .map(|controller| format!("+{controller}"))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    directory::write(&folder.join("cgroup.subtree_control"), &wanted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v1(controllers: &str, own: &str) -> Mounted {
        Mounted {
            controllers: Some(controllers.split(',').map(str::to_owned).collect()),
            mount_point: format!("/c/{controllers}").into(),
            own: own.into(),
        }
    }

    fn v2(own: &str) -> Mounted {
        Mounted {
            controllers: None,
            mount_point: "/c".into(),
            own: own.into(),
        }
    }

    fn parents(placement: &Placement) -> Vec<PathBuf> {
        placement
            .hierarchies
            .iter()
            .map(Hierarchy::parent)
            .collect()
    }

    #[test]
    fn version_1_nests_below_the_caller() {
        let mounted = vec![v1("rw,memory", "svc"), v1("rw,freezer", "svc"), v2("")];
        let placement = Placement::choose(mounted, |_| false);
        assert_eq!(placement.version, Version::V1);
        assert_eq!(parents(&placement), [PathBuf::from("/c/rw,memory/svc")]);
        let freezer = placement.freezer.map(|freezer| freezer.parent());
        assert_eq!(freezer, Some(PathBuf::from("/c/rw,freezer/svc")));
    }

    #[test]
    fn hierarchies_that_are_used_on_demand_are_kept_apart() {
        let mounted = vec![v1("memory", "svc"), v1("cpuset", "svc"), v1("net_cls", "")];
        let placement = Placement::choose(mounted, |_| false);
        assert_eq!(parents(&placement), [PathBuf::from("/c/memory/svc")]);
        let further: Vec<_> = placement.further.iter().map(Hierarchy::parent).collect();
        assert_eq!(further, [PathBuf::from("/c/cpuset/svc")]);
    }

    #[test]
    fn what_counts_processes_comes_first() {
        let mounted = vec![v1("memory", ""), v1("cpu", ""), v1("pids", "")];
        let placement = Placement::choose(mounted, |_| false);
        let expected = ["/c/pids/", "/c/memory/", "/c/cpu/"].map(PathBuf::from);
        assert_eq!(parents(&placement), expected);
    }

    #[test]
    fn version_2_nests_only_below_what_was_delegated() {
        let placement = Placement::choose(vec![v2("user.slice/s")], |_| false);
        assert_eq!(parents(&placement), [PathBuf::from("/c/")]);
        let placement = Placement::choose(vec![v2("system.slice/a.service")], |_| true);
        assert_eq!(
            parents(&placement),
            [PathBuf::from("/c/system.slice/a.service")]
        );
        let inner = "system.slice/a.service/fairing-monitor";
        let placement = Placement::choose(vec![v2(inner)], |_| true);
        assert_eq!(
            parents(&placement),
            [PathBuf::from("/c/system.slice/a.service")]
        );
    }

    #[test]
    fn no_cgroups_at_all() {
        assert_eq!(
            Placement::choose(Vec::new(), |_| false).version,
            Version::None
        );
    }
}
