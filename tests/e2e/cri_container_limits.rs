//! Limits of containers: what holds, what is told, and how one ends that needs more.

use cri_shim::api::{
    ContainerConfig, HugepageLimit, LinuxContainerResources, UpdateContainerResourcesRequest,
    UpdatePodSandboxResourcesRequest,
};
use harness::{Cri, ImageBuilder};
use tonic::{Code, Status};

use crate::cri_containers::{Ground, idle, script};
use crate::cri_sandbox;

fn limited(mut config: ContainerConfig, resources: LinuxContainerResources) -> ContainerConfig {
    config.linux.get_or_insert_default().resources = Some(resources);
    config
}

fn memory(bytes: i64) -> LinuxContainerResources {
    LinuxContainerResources {
        memory_limit_in_bytes: bytes,
        ..LinuxContainerResources::default()
    }
}

fn update(ground: &Ground, id: &str, linux: LinuxContainerResources) -> Result<(), Status> {
    let request = UpdateContainerResourcesRequest {
        container_id: id.to_owned(),
        linux: Some(linux),
        ..UpdateContainerResourcesRequest::default()
    };
    let mut client = ground.cri.runtime();
    let updated = ground.cri.call(client.update_container_resources(request));
    updated.map(drop)
}

fn told(ground: &Ground, id: &str) -> LinuxContainerResources {
    ground.status(id).resources.unwrap().linux.unwrap()
}

#[test]
fn who_needs_more_memory_than_there_may_be_is_killed_and_that_is_the_reason() {
    let ground = Ground::new();
    // As the conformance suite does it.
    let greedy = script("greedy", "dd if=/dev/zero of=/dev/null bs=100M");
    let ended = ground.run_to_end(&limited(greedy, memory(16 << 20)));
    assert_eq!((ended.exit_code, &*ended.reason), (137, "OOMKilled"));
}

#[test]
fn that_there_are_to_be_no_huge_pages_needs_nobody_who_counts_them() {
    let ground = Ground::new();
    // As kubelets say it, for each size; and one that no kernel has.
    let huge = |page_size: &str, limit| HugepageLimit {
        page_size: page_size.to_owned(),
        limit,
    };
    let none = LinuxContainerResources {
        hugepage_limits: vec![huge("2MB", 0), huge("1GB", 0), huge("3MB", 0)],
        ..LinuxContainerResources::default()
    };
    let id = ground.run(&limited(idle("none"), none.clone()));
    assert_eq!(told(&ground, &id).hugepage_limits, none.hugepage_limits);
    update(&ground, &id, none).unwrap();
    let some = LinuxContainerResources {
        hugepage_limits: vec![huge("3MB", 3 << 20)],
        ..LinuxContainerResources::default()
    };
    let refused = ground.try_create(&limited(idle("some"), some)).unwrap_err();
    let field = "config.linux.resources.hugepage_limits[3MB]: ";
    assert!(refused.message().starts_with(field), "{refused}");
}

#[test]
fn what_no_kernel_takes_or_this_node_lacks_is_refused_by_field_also_of_one_that_runs() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let before = told(&ground, &id);
    let refused = |field: &str, change: &dyn Fn(&mut LinuxContainerResources)| {
        let mut resources = LinuxContainerResources::default();
        change(&mut resources);
        let config = limited(idle("refused"), resources.clone());
        for (parent, refused) in [
            (
                "config.linux.resources",
                ground.try_create(&config).map(drop),
            ),
            ("linux", update(&ground, &id, resources)),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            let field = format!("{parent}.{field}: ");
            assert!(refused.message().starts_with(&field), "{refused}");
        }
    };
    for cpus in ["x", "3-1", "0,,1", "4095"] {
        refused("cpuset_cpus", &|asked| asked.cpuset_cpus = cpus.to_owned());
    }
    refused("cpuset_mems", &|asked| asked.cpuset_mems = "-1".to_owned());
    refused("cpu_quota", &|asked| asked.cpu_quota = 999);
    refused("cpu_quota", &|asked| asked.cpu_quota = -2);
    refused("cpu_period", &|asked| asked.cpu_period = 5_000_000);
    refused("cpu_shares", &|asked| asked.cpu_shares = 1);
    refused("oom_score_adj", &|asked| asked.oom_score_adj = 1001);
    refused("memory_swap_limit_in_bytes", &|asked| {
        asked.memory_swap_limit_in_bytes = 1 << 20;
    });
    for file in ["../memory.max", "memory/x.max", "cgroup.procs"] {
        refused(&format!("unified[{file}]"), &|asked| {
            asked.unified.insert(file.to_owned(), "1".to_owned());
        });
    }
    if !std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        refused("unified[memory.high]", &|asked| {
            asked
                .unified
                .insert("memory.high".to_owned(), "max".to_owned());
        });
    }
    assert_eq!(told(&ground, &id), before);
}

#[test]
fn limits_are_told_and_change_together_or_not_at_all() {
    let ground = Ground::new();
    let asked = LinuxContainerResources {
        cpu_shares: 512,
        cpu_period: 100_000,
        cpu_quota: 50_000,
        oom_score_adj: 100,
        ..memory(64 << 20)
    };
    let running = ground.run(&limited(idle("running"), asked.clone()));
    assert_eq!(told(&ground, &running), asked);
    let created = ground.create(&limited(idle("created"), asked.clone()));
    for id in [&running, &created] {
        update(&ground, id, memory(128 << 20)).unwrap();
        let changed = told(&ground, id);
        assert_eq!(changed.memory_limit_in_bytes, 128 << 20);
        assert_eq!(changed.cpu_quota, 50_000, "what is not given stays");
        let nonsense = LinuxContainerResources {
            cpu_quota: 20_000,
            cpuset_cpus: "4095".to_owned(),
            ..LinuxContainerResources::default()
        };
        if id == &running {
            update(&ground, id, nonsense).unwrap_err();
            assert_eq!(told(&ground, id), changed);
        }
    }
    let negative = update(&ground, &running, memory(-5)).unwrap_err();
    assert_eq!(negative.code(), Code::InvalidArgument);
    let unknown = update(&ground, "unknown", memory(1 << 20)).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    ground.try_start(&created).unwrap();
}

#[test]
fn limits_of_whole_sandboxes_are_the_kubelets() {
    let ground = Ground::new();
    let of = |id: &str| {
        let request = UpdatePodSandboxResourcesRequest {
            pod_sandbox_id: id.to_owned(),
            resources: Some(memory(1 << 30)),
            ..UpdatePodSandboxResourcesRequest::default()
        };
        let mut client = ground.cri.runtime();
        ground
            .cri
            .call(client.update_pod_sandbox_resources(request))
    };
    of(&ground.sandbox).unwrap();
    assert_eq!(of("unknown").unwrap_err().code(), Code::NotFound);
}

#[test]
fn limits_that_make_no_sense_are_refused_by_field() {
    let ground = Ground::new();
    let refused = |resources: LinuxContainerResources| {
        let refused = ground
            .try_create(&limited(idle("web"), resources))
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        refused.message().to_owned()
    };
    let score = refused(LinuxContainerResources {
        oom_score_adj: 5000,
        ..LinuxContainerResources::default()
    });
    assert!(
        score.starts_with("config.linux.resources.oom_score_adj: "),
        "{score}"
    );
    let swap = refused(LinuxContainerResources {
        memory_swap_limit_in_bytes: 1 << 20,
        ..memory(1 << 30)
    });
    let field = "config.linux.resources.memory_swap_limit_in_bytes: ";
    assert!(swap.starts_with(field), "{swap}");
}

/// The soft and the hard limit of descriptors of a process.
fn descriptors(pid: u32) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words = line.unwrap().split_whitespace().skip(3).take(2);
    words.map(str::to_owned).collect()
}

#[test]
fn containers_have_the_descriptors_of_the_service_and_the_shim_has_more() {
    let host = cri_sandbox::host();
    let cri = Cri::start_limited(&host, "300:4000");
    assert_eq!(descriptors(cri.pid()), ["4000", "4000"]);
    let ground = Ground::by(cri, host, "", ImageBuilder::busybox(), |_| ());
    let ask = "ulimit -Sn; ulimit -Hn";
    let id = ground.run(&script("web", &format!("{ask}; exec sleep 1000")));
    ground.wait_logged("web", "4000");
    assert_eq!(ground.logged("web"), "300\n4000");
    assert_eq!(ground.sh(&id, ask), "300\n4000");
    for monitor in ground.host.processes_named("stage1-nspawn") {
        assert_eq!(descriptors(monitor.pid)[1], "4000");
    }
}
