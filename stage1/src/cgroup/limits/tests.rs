//! What is written for limits.

use super::*;
use pod::manifest::{BlockIo, Cpu, HugepageLimit, Memory, Pids, ThrottleDevice};

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
    let pair = |setting: Setting| {
        let files = setting.files.iter();
        let files = files.map(|(file, value)| format!("{file}={value}"));
        files.collect::<Vec<_>>().join(" or ")
    };
    settings.into_iter().map(pair).collect()
}

fn v1(resources: &Resources) -> Vec<Setting> {
    super::v1::settings(resources)
}

fn v2(resources: &Resources) -> Vec<Setting> {
    super::v2::settings(resources).unwrap()
}

fn apply(
    version: Version,
    places: &[(&Hierarchy, PathBuf)],
    resources: &Resources,
) -> Result<(), CgroupError> {
    Settings::new(version, resources)?.apply(places)
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
    assert!(!folder.path().join("memory.swap.max").exists());
    // Unlike a plain file, one of a cgroup holds what was written last.
    std::fs::write(folder.path().join("memory.max"), "").unwrap();
    apply(Version::V2, &places, &none()).unwrap();
    assert_eq!(
        files.map(|file| text(&folder, file)),
        ["max", "max 100000", "", "max"]
    );
    std::fs::write(folder.path().join("memory.swap.max"), "").unwrap();
    apply(Version::V2, &places, &some).unwrap();
    assert_eq!(text(&folder, "memory.swap.max"), "0");
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

/// Every limit that is about no device.
fn further() -> Resources {
    Resources {
        memory: Memory {
            limit: Some(Limit::At(64 << 20)),
            swap: Some(Limit::At(96 << 20)),
            reservation: Some(Limit::At(32 << 20)),
            swappiness: None,
        },
        cpu: Cpu {
            cpus: "0-1".into(),
            mems: "0".into(),
            ..Cpu::default()
        },
        hugepage_limits: vec![HugepageLimit {
            page_size: "2MB".into(),
            limit: 4 << 20,
        }],
        ..Resources::default()
    }
}

#[test]
fn swap_reservations_processors_and_huge_pages_are_files_of_both_versions() {
    assert_eq!(
        pairs(v1(&further())),
        [
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=100663296",
            "memory.soft_limit_in_bytes=33554432",
            "cpuset.cpus=0-1",
            "cpuset.mems=0",
            "hugetlb.2MB.limit_in_bytes=4194304",
            "hugetlb.2MB.rsvd.limit_in_bytes=4194304",
        ]
    );
    assert_eq!(
        pairs(v2(&further())),
        [
            "memory.max=67108864",
            "memory.swap.max=33554432",
            "memory.low=33554432",
            "cpuset.cpus=0-1",
            "cpuset.mems=0",
            "hugetlb.2MB.max=4194304",
            "hugetlb.2MB.rsvd.max=4194304",
        ]
    );
    let mut lifted = Resources::default();
    lifted.memory.reservation = Some(Limit::Unlimited);
    assert_eq!(pairs(v1(&lifted)), ["memory.soft_limit_in_bytes=-1"]);
    assert_eq!(pairs(v2(&lifted)), ["memory.low=0"]);
    let mut swapping = memory(4096);
    swapping.swap = Some(Limit::Unlimited);
    let swapping = Resources {
        memory: swapping,
        ..Resources::default()
    };
    assert_eq!(
        pairs(v2(&swapping)),
        ["memory.max=4096", "memory.swap.max=max"]
    );
}

#[test]
fn huge_pages_that_nobody_counts_are_as_good_as_none() {
    let none = |limit| Resources {
        hugepage_limits: vec![HugepageLimit {
            page_size: "1GB".into(),
            limit,
        }],
        ..Resources::default()
    };
    for version in [Version::V1, Version::V2] {
        let dir = tempfile::tempdir().unwrap();
        let hierarchy = Hierarchy {
            controllers: vec!["memory".to_owned()],
            mount_point: dir.path().to_owned(),
            base: PathBuf::new(),
        };
        let places = [(&hierarchy, dir.path().to_owned())];
        let settings = Settings::new(version, &none(0)).unwrap();
        settings.apply(&places).unwrap();
        assert!(settings.controllers(|_| false).is_empty());
        assert!(settings.controllers(|_| true).contains("hugetlb"));
        let settings = Settings::new(version, &none(1 << 30)).unwrap();
        let error = settings.apply(&places).unwrap_err();
        assert!(
            matches!(error, CgroupError::NoController("hugetlb")),
            "{error}"
        );
        assert!(settings.controllers(|_| false).contains("hugetlb"));
    }
}

#[test]
fn swappiness_is_of_version_1_alone() {
    let mut resources = Resources::default();
    resources.memory.swappiness = Some(7);
    assert_eq!(pairs(v1(&resources)), ["memory.swappiness=7"]);
    let refused = super::v2::settings(&resources).unwrap_err();
    assert!(matches!(refused, CgroupError::NoSwappiness), "{refused}");
}

#[test]
fn disks_are_weighed_and_throttled() {
    let device = |rate| ThrottleDevice {
        major: 8,
        minor: 16,
        rate,
    };
    let resources = Resources {
        block_io: BlockIo {
            weight: Some(500),
            throttle_read_bps_device: vec![device(1 << 20)],
            throttle_write_iops_device: vec![device(0)],
            ..BlockIo::default()
        },
        ..Resources::default()
    };
    assert_eq!(
        pairs(v1(&resources)),
        [
            "blkio.bfq.weight=500 or blkio.weight=500",
            "blkio.throttle.read_bps_device=8:16 1048576",
            "blkio.throttle.write_iops_device=8:16 0",
        ]
    );
    assert_eq!(
        pairs(v2(&resources)),
        [
            "io.bfq.weight=500 or io.weight=4950",
            "io.max=8:16 rbps=1048576",
            "io.max=8:16 wiops=max",
        ]
    );
}

#[test]
fn a_limit_of_swap_needs_a_kernel_that_counts_it() {
    let folder = cgroup(&["memory.max", "memory.low", "memory.limit_in_bytes"]);
    let hierarchy = hierarchy(&["memory"], folder.path());
    let places = [(&hierarchy, folder.path().to_path_buf())];
    for version in [Version::V1, Version::V2] {
        let mut resources = Resources {
            memory: memory(8192),
            ..Resources::default()
        };
        apply(version, &places, &resources).unwrap();
        resources.memory.swap = Some(Limit::At(16_384));
        let refused = apply(version, &places, &resources).unwrap_err();
        assert!(
            matches!(refused, CgroupError::NoController("memory")),
            "{refused}"
        );
    }
}
