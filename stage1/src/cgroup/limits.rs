//! Limits of an app: which files say so, and what they say. Only apps that have limits pay for them.

use std::io;
use std::path::{Path, PathBuf};

use libcgroups::common::{CgroupManager, ControllerOpt};
use libcgroups::v2::manager::Manager;
use oci_spec::runtime::{LinuxCpuBuilder, LinuxResources};
use pod::manifest::{Limit, Resources};
use rustix::io::Errno;

use super::directory;
use super::error::CgroupError;
use super::placement::{Hierarchy, Version};

/// Length of a period of processor time where none is asked for, in microseconds: the kernel's default.
const CPU_PERIOD: u64 = 100_000;

const V1_MEMORY: &str = "memory.limit_in_bytes";
/// Memory and swap together: a limit that could be swapped around would be none.
const V1_SWAP: &str = "memory.memsw.limit_in_bytes";
const V2_SWAP: &str = "memory.swap.max";
const V2_WEIGHT: &str = "cpu.weight";

/// One file of a cgroup that limits something, and what it is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    controller: &'static str,
    file: &'static str,
    value: String,
}

/// Writes the limits of an app, whose directory in each hierarchy is given. What is not asked for stays as it is.
pub(super) fn apply(
    version: Version,
    hierarchies: &[(&Hierarchy, PathBuf)],
    resources: &Resources,
) -> Result<(), CgroupError> {
    if resources.is_unlimited() {
        return Ok(());
    }
    let mut settings = match (version, hierarchies.first()) {
        (Version::None, _) => return Err(CgroupError::NotMounted),
        (Version::V1, _) => v1(resources),
        (Version::V2, Some((hierarchy, directory))) => {
            return apply_unified(hierarchy, directory, resources);
        }
        (Version::V2, None) => return Err(CgroupError::NotMounted),
    };
    let write_all = |settings: &[Setting]| {
        let mut settings = settings.iter();
        settings.try_for_each(|setting| write(hierarchies, setting))
    };
    match write_all(&settings) {
        // Version 1 refuses a limit of memory above the one of memory and swap: raised, that comes first.
        Err(CgroupError::Io { path, source, .. })
            if path.ends_with(V1_MEMORY)
                && source.raw_os_error() == Some(Errno::INVAL.raw_os_error()) =>
        {
            settings.sort_by_key(|setting| setting.file != V1_SWAP);
            write_all(&settings)
        }
        other => other,
    }
}

/// Writes how many processes an app may have at most, where the host can count them.
pub(super) fn bound_processes(
    version: Version,
    hierarchies: &[(&Hierarchy, PathBuf)],
    most: Limit,
) -> Result<(), CgroupError> {
    let counts = |hierarchy: &Hierarchy| match version {
        Version::None => false,
        Version::V1 => hierarchy.controllers.iter().any(|c| c == "pids"),
        Version::V2 => true,
    };
    let mut places = hierarchies.iter();
    let Some((_, folder)) = places.find(|(hierarchy, _)| counts(hierarchy)) else {
        return Ok(());
    };
    match directory::write(&folder.join("pids.max"), &pids(most)) {
        Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn write(hierarchies: &[(&Hierarchy, PathBuf)], setting: &Setting) -> Result<(), CgroupError> {
    let missing = || CgroupError::NoController(setting.controller);
    let has = |hierarchy: &Hierarchy| {
        let mut controllers = hierarchy.controllers.iter();
        controllers.any(|controller| controller == setting.controller)
    };
    let mut places = hierarchies.iter();
    let (_, folder) = places
        .find(|(hierarchy, _)| has(hierarchy))
        .ok_or_else(missing)?;
    match directory::write(&folder.join(setting.file), &setting.value) {
        Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            // A kernel that does not account for swap has nothing to limit there.
            match setting.file {
                V1_SWAP => Ok(()),
                _ => Err(missing()),
            }
        }
        other => other,
    }
}

/// Version 2, by way of libcgroups. Shares are for it to convert; the rest goes to the files by their names, since it
/// takes a limit of 0 for nothing asked.
fn apply_unified(
    hierarchy: &Hierarchy,
    directory: &Path,
    resources: &Resources,
) -> Result<(), CgroupError> {
    let mut settings = v2(resources);
    // A kernel that does not account for swap has nothing to limit there.
    settings.retain(|setting| setting.file != V2_SWAP || directory.join(V2_SWAP).exists());
    let weight = resources.cpu.shares.map(|_| ("cpu", V2_WEIGHT));
    let files = settings.iter().map(|s| (s.controller, s.file));
    if let Some((controller, _)) = files
        .chain(weight)
        .find(|(_, file)| !directory.join(file).exists())
    {
        return Err(CgroupError::NoController(controller));
    }
    let refused = |source: String| CgroupError::Refused {
        path: directory.to_path_buf(),
        reason: source,
    };
    let mut all = LinuxResources::default();
    // The default forbids all devices, which is not meant here.
    all.set_devices(None);
    if let Some(shares) = resources.cpu.shares {
        let cpu = LinuxCpuBuilder::default().shares(shares).build();
        all.set_cpu(Some(cpu.map_err(|error| refused(error.to_string()))?));
    }
    let files = settings.into_iter().map(|s| (s.file.to_owned(), s.value));
    all.set_unified(Some(files.collect()));
    let below = directory
        .strip_prefix(&hierarchy.mount_point)
        .unwrap_or(directory);
    let manager = Manager::new(hierarchy.mount_point.clone(), Path::new("/").join(below))
        .map_err(|error| refused(error.to_string()))?;
    let options = ControllerOpt {
        resources: &all,
        disable_oom_killer: false,
        oom_score_adj: None,
        freezer_state: None,
    };
    manager
        .apply(&options)
        .map_err(|error| refused(error.to_string()))
}

/// In the order in which a fresh cgroup takes them.
fn v1(resources: &Resources) -> Vec<Setting> {
    let number = |limit: Limit| limit.value().map_or("-1".to_owned(), |v| v.to_string());
    let memory = resources.memory.limit.map(number);
    let quota = resources.cpu.quota.map(number);
    let period = period(resources).map(|period| period.to_string());
    let shares = resources.cpu.shares.map(|shares| shares.to_string());
    collect([
        ("memory", V1_MEMORY, memory.clone()),
        ("memory", V1_SWAP, memory),
        ("cpu", "cpu.cfs_period_us", period),
        ("cpu", "cpu.cfs_quota_us", quota),
        ("cpu", "cpu.shares", shares),
        ("pids", "pids.max", resources.pids.limit.map(pids)),
    ])
}

fn v2(resources: &Resources) -> Vec<Setting> {
    let memory = resources.memory.limit;
    // Memory that could be swapped around its limit would have none.
    let swap = memory.map(|limit| match limit {
        Limit::At(_) => "0".to_owned(),
        Limit::Unlimited => "max".to_owned(),
    });
    let quota = resources.cpu.quota.map(number_or_max);
    let quota = match (quota, period(resources)) {
        (Some(quota), period) => Some(format!("{quota} {}", period.unwrap_or(CPU_PERIOD))),
        (None, Some(period)) => Some(format!("max {period}")),
        (None, None) => None,
    };
    collect([
        ("memory", "memory.max", memory.map(number_or_max)),
        ("memory", V2_SWAP, swap),
        ("cpu", "cpu.max", quota),
        ("pids", "pids.max", resources.pids.limit.map(pids)),
    ])
}

fn collect<const N: usize>(
    files: [(&'static str, &'static str, Option<String>); N],
) -> Vec<Setting> {
    let files = files.into_iter();
    files
        .filter_map(|(controller, file, value)| {
            Some(Setting {
                controller,
                file,
                value: value?,
            })
        })
        .collect()
}

/// A number of processes, of which the kernel takes no more than it can number.
fn pids(limit: Limit) -> String {
    const PIDS_MAX: u64 = 4 << 20;
    match limit {
        Limit::At(number) if number >= PIDS_MAX => "max".to_owned(),
        limit => number_or_max(limit),
    }
}

fn number_or_max(limit: Limit) -> String {
    limit.value().map_or("max".to_owned(), |v| v.to_string())
}

/// The period to write: the one that is asked for, and with a quota always one.
fn period(resources: &Resources) -> Option<u64> {
    let usual = resources.cpu.quota.map(|_| CPU_PERIOD);
    resources.cpu.period.or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::{Cpu, Memory, Pids};

    fn all() -> Resources {
        Resources {
            memory: memory(64 << 20),
            cpu: Cpu {
                shares: Some(512),
                quota: Some(Limit::At(50_000)),
                ..Cpu::default()
            },
            pids: Pids {
                limit: Some(Limit::At(20)),
            },
            ..Resources::default()
        }
    }

    fn none() -> Resources {
        Resources {
            memory: Memory {
                limit: Some(Limit::Unlimited),
                ..Memory::default()
            },
            cpu: Cpu {
                quota: Some(Limit::Unlimited),
                ..Cpu::default()
            },
            pids: Pids {
                limit: Some(Limit::Unlimited),
            },
            ..Resources::default()
        }
    }

    fn memory(bytes: u64) -> Memory {
        Memory {
            limit: Some(Limit::At(bytes)),
            ..Memory::default()
        }
    }

    fn pairs(settings: Vec<Setting>) -> Vec<String> {
        let pair = |Setting { file, value, .. }| format!("{file}={value}");
        settings.into_iter().map(pair).collect()
    }

    #[test]
    fn each_version_has_its_own_files() {
        assert_eq!(
            pairs(v1(&all())),
            [
                "memory.limit_in_bytes=67108864",
                "memory.memsw.limit_in_bytes=67108864",
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=50000",
                "cpu.shares=512",
                "pids.max=20",
            ]
        );
        assert_eq!(
            pairs(v2(&all())),
            [
                "memory.max=67108864",
                "memory.swap.max=0",
                "cpu.max=50000 100000",
                "pids.max=20",
            ]
        );
        assert!(v1(&Resources::default()).is_empty());
        assert!(v2(&Resources::default()).is_empty());
    }

    #[test]
    fn more_processes_than_the_kernel_has_numbers_for_are_no_limit() {
        for (asked, written) in [
            (4_194_303, "4194303"),
            (4_194_304, "max"),
            (u64::MAX, "max"),
        ] {
            let mut resources = Resources::default();
            resources.pids.limit = Some(Limit::At(asked));
            for settings in [v1(&resources), v2(&resources)] {
                assert_eq!(pairs(settings), [format!("pids.max={written}")]);
            }
        }
    }

    #[test]
    fn limits_are_taken_off_as_each_version_has_it() {
        assert_eq!(
            pairs(v1(&none())),
            [
                "memory.limit_in_bytes=-1",
                "memory.memsw.limit_in_bytes=-1",
                "cpu.cfs_period_us=100000",
                "cpu.cfs_quota_us=-1",
                "pids.max=max",
            ]
        );
        assert_eq!(
            pairs(v2(&none())),
            [
                "memory.max=max",
                "memory.swap.max=max",
                "cpu.max=max 100000",
                "pids.max=max",
            ]
        );
        let period = Resources {
            cpu: Cpu {
                period: Some(20_000),
                ..Cpu::default()
            },
            ..Resources::default()
        };
        assert_eq!(pairs(v1(&period)), ["cpu.cfs_period_us=20000"]);
        assert_eq!(pairs(v2(&period)), ["cpu.max=max 20000"]);
    }

    /// A directory that stands for a cgroup, with these files.
    fn cgroup(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    fn text(folder: &tempfile::TempDir, file: &str) -> String {
        std::fs::read_to_string(folder.path().join(file)).unwrap()
    }

    fn hierarchy(controllers: &[&str], mount_point: &Path) -> Hierarchy {
        Hierarchy {
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
            mount_point: mount_point.to_path_buf(),
            base: PathBuf::new(),
        }
    }

    #[test]
    fn what_is_not_asked_for_stays_as_it_is() {
        let files = ["memory.max", "cpu.max", "cpu.weight", "pids.max"];
        let folder = cgroup(&files);
        std::fs::write(folder.path().join("cgroup.controllers"), "cpu memory pids").unwrap();
        let hierarchy = hierarchy(&[], folder.path());
        let places = [(&hierarchy, folder.path().to_path_buf())];
        let some = Resources {
            memory: memory(4096),
            ..Resources::default()
        };
        apply(Version::V2, &places, &some).unwrap();
        assert_eq!(files.map(|file| text(&folder, file)), ["4096", "", "", ""]);
        // Without accounting of swap there is no file for it, and none is made.
        assert!(!folder.path().join(V2_SWAP).exists());
        // Unlike a plain file, one of a cgroup holds what was written last.
        std::fs::write(folder.path().join("memory.max"), "").unwrap();
        apply(Version::V2, &places, &none()).unwrap();
        assert_eq!(
            files.map(|file| text(&folder, file)),
            ["max", "max 100000", "", "max"]
        );
        std::fs::write(folder.path().join(V2_SWAP), "").unwrap();
        apply(Version::V2, &places, &some).unwrap();
        assert_eq!(text(&folder, V2_SWAP), "0");
        let weights = |shares| {
            let cpu = Cpu {
                shares: Some(shares),
                ..Cpu::default()
            };
            let some = Resources {
                cpu,
                ..Resources::default()
            };
            std::fs::write(folder.path().join(V2_WEIGHT), "").unwrap();
            apply(Version::V2, &places, &some).unwrap();
            text(&folder, V2_WEIGHT)
        };
        assert_eq!([2, 1024, 262_144].map(weights), ["1", "100", "10000"]);
    }

    #[test]
    fn processes_are_bounded_where_they_can_be_counted() {
        let folder = cgroup(&["pids.max"]);
        let place = |hierarchy| [(hierarchy, folder.path().to_path_buf())];
        let (unified, counting) = (
            hierarchy(&[], folder.path()),
            hierarchy(&["pids"], folder.path()),
        );
        bound_processes(Version::V2, &place(&unified), Limit::At(5)).unwrap();
        assert_eq!(text(&folder, "pids.max"), "5");
        bound_processes(Version::V1, &place(&counting), Limit::Unlimited).unwrap();
        assert_eq!(text(&folder, "pids.max"), "max");
        let other = hierarchy(&["memory"], folder.path());
        bound_processes(Version::V1, &place(&other), Limit::At(5)).unwrap();
        bound_processes(Version::None, &[], Limit::At(5)).unwrap();
        std::fs::remove_file(folder.path().join("pids.max")).unwrap();
        bound_processes(Version::V2, &place(&unified), Limit::At(5)).unwrap();
    }

    #[test]
    fn what_the_host_cannot_limit_is_said_by_name() {
        let folder = cgroup(&["memory.limit_in_bytes"]);
        let with_memory = hierarchy(&["memory"], folder.path());
        let places = [(&with_memory, folder.path().to_path_buf())];
        let error = apply(Version::V1, &places, &all()).unwrap_err();
        assert!(matches!(error, CgroupError::NoController("cpu")), "{error}");
        let unified = hierarchy(&[], folder.path());
        let places = [(&unified, folder.path().to_path_buf())];
        let error = apply(Version::V2, &places, &all()).unwrap_err();
        assert!(
            matches!(error, CgroupError::NoController("memory")),
            "{error}"
        );
        let error = apply(Version::None, &[], &all()).unwrap_err();
        assert!(matches!(error, CgroupError::NotMounted), "{error}");
        apply(Version::None, &[], &Resources::default()).unwrap();
    }
}
