//! Sandboxes in virtual machines, by their runtime handler.

use std::fs;

use cri_shim::api::{
    CdiDevice, ContainerConfig, ContainerStatsRequest, Device, HugepageLimit, IdMapping,
    LinuxContainerResources, LinuxSandboxSecurityContext, Mount, MountPropagation, NamespaceMode,
    NamespaceOption, PodSandboxConfig, StatusRequest, UserNamespace,
};
use harness::{Cri, Host, ImageBuilder, installed_kernel};
use tonic::Code;

use crate::cri_containers::{CREATED, EXITED, Ground, RUNNING, idle, script, security};
use crate::cri_sandbox;

const HANDLER: &str = "fairing-kvm";

/// A host whose machines boot the kernel of the tests.
fn host() -> Host {
    let host = cri_sandbox::host();
    let kernel = installed_kernel();
    host.write(
        "etc/config.toml",
        format!(
            "[cri]\nnetwork = \"none\"\n[cri.runtime-handlers]\nslow = \"kvm\"\n[kvm]\nkernel = {kernel:?}\naccel = \"tcg\"\n"
        ),
    );
    host
}

fn ground(change: impl FnOnce(&mut PodSandboxConfig)) -> Ground {
    Ground::on(host(), HANDLER, ImageBuilder::busybox(), change)
}

fn resources(config: &mut ContainerConfig) -> &mut LinuxContainerResources {
    config
        .linux
        .get_or_insert_default()
        .resources
        .get_or_insert_default()
}

fn directory(ground: &Ground, name: &str) -> Mount {
    let path = ground.host.base().join(name);
    fs::create_dir_all(&path).unwrap();
    Mount {
        container_path: format!("/{name}"),
        host_path: path.to_str().unwrap().to_owned(),
        ..Mount::default()
    }
}

#[test]
fn containers_of_a_machine_are_as_others_are_and_have_another_kernel() {
    let ground = ground(|sandbox| {
        let sysctls = &mut sandbox.linux.get_or_insert_default().sysctls;
        sysctls.insert("net.core.somaxconn".into(), "1000".into());
        sysctls.insert("kernel/shm_rmid_forced".into(), "1".into());
    });
    let told = cri_sandbox::status(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(told.runtime_handler, HANDLER);

    let mut config = script(
        "web",
        "uname -r; cat /data/in; echo out > /data/out; echo last > /dev/termination-log; \
         trap 'echo bye; exit 7' TERM; while :; do usleep 20000; done",
    );
    let termination = Mount {
        container_path: "/dev/termination-log".to_owned(),
        host_path: ground
            .host
            .write("termination", "")
            .to_str()
            .unwrap()
            .to_owned(),
        ..Mount::default()
    };
    config.mounts = vec![directory(&ground, "data"), termination];
    fs::write(ground.host.base().join("data/in"), "from the host\n").unwrap();
    // As kubelets say it.
    let limits = resources(&mut config);
    limits.hugepage_limits = vec![HugepageLimit {
        page_size: "2MB".to_owned(),
        limit: 0,
    }];
    limits.unified.insert("memory.oom.group".into(), "1".into());
    limits.memory_limit_in_bytes = 64 << 20;
    limits.oom_score_adj = 900;
    let id = ground.create(&config);
    assert_eq!(ground.status(&id).state, CREATED);
    ground.try_start(&id).unwrap();
    assert_eq!(ground.status(&id).state, RUNNING);
    ground.wait_logged("web", "from the host");
    let kernel = installed_kernel();
    let release = kernel
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .replace("vmlinuz-", "");
    assert_eq!(ground.logged("web").lines().next(), Some(&*release));

    assert_eq!(ground.sh(&id, "uname -r; cat /proc/self/oom_score_adj"), {
        format!("{release}\n900")
    });
    assert_eq!(
        ground.sh(
            &id,
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.oom.group"
        ),
        format!("{}\n1", 64 << 20)
    );
    let parameters = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shm_rmid_forced";
    assert_eq!(ground.sh(&id, parameters), "1000\n1");
    let failed = ground.try_exec(&id, &["/bin/sh", "-c", "echo no >&2; exit 3"], 0);
    let failed = failed.unwrap();
    assert_eq!((failed.exit_code, &*failed.stderr), (3, &b"no\n"[..]));
    let late = ground.try_exec(&id, &["/bin/sleep", "1000"], 1);
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);

    let request = ContainerStatsRequest {
        container_id: id.clone(),
    };
    let mut client = ground.cri.runtime();
    let stats = ground.cri.call(client.container_stats(request)).unwrap();
    let stats = stats.stats.unwrap();
    assert!(stats.memory.unwrap().working_set_bytes.unwrap().value > 0);
    assert!(stats.cpu.unwrap().usage_core_nano_seconds.unwrap().value > 0);

    ground.stop(&id, 30).unwrap();
    let ended = ground.status(&id);
    assert_eq!((ended.state, ended.exit_code), (EXITED, 7));
    assert!(
        ground.logged("web").ends_with("bye"),
        "{}",
        ground.logged("web")
    );
    let read = |name: &str| fs::read_to_string(ground.host.base().join(name)).unwrap();
    assert_eq!(
        (&*read("data/out"), &*read("termination")),
        ("out\n", "last\n")
    );
    ground.remove(&id).unwrap();
    assert_eq!(ground.try_status(&id).unwrap_err().code(), Code::NotFound);
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    cri_sandbox::remove(&ground.cri, &ground.sandbox).unwrap();
}

#[test]
fn a_machine_is_as_large_as_its_containers_may_be_and_has_nothing_of_the_host() {
    let ground = ground(|sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        linux.security_context.get_or_insert_default().privileged = true;
        linux.resources = Some(LinuxContainerResources {
            memory_limit_in_bytes: 200 << 20,
            cpu_quota: 100_000,
            cpu_period: 100_000,
            ..LinuxContainerResources::default()
        });
    });
    let mut privileged = idle("privileged");
    security(&mut privileged).privileged = true;
    let id = ground.run(&privileged);
    let kibibytes: u64 = ground
        .sh(
            &id,
            "grep MemTotal: /proc/meminfo | tr -s ' ' | cut -d ' ' -f 2",
        )
        .parse()
        .unwrap();
    // What the containers may have, and what the kernel takes.
    assert!((200 << 10..328 << 10).contains(&kibibytes), "{kibibytes}");
    assert_eq!(ground.sh(&id, "grep -c ^processor /proc/cpuinfo"), "1");
    assert_eq!(
        ground.sh(
            &id,
            "mkdir /m && mount -t tmpfs none /m && echo mounted; ls /dev/kmsg 2>&1 | tail -n 1 | cut -c 1-3"
        ),
        "mounted\nls:"
    );
    let mut large = idle("large");
    resources(&mut large).memory_limit_in_bytes = 1 << 30;
    let refused = ground.try_create(&large).unwrap_err();
    assert!(refused.message().contains("1 GiB"), "{refused}");

    type Change = fn(&Ground, &mut ContainerConfig);
    let cases: [(&str, Change); 3] = [
        ("config.devices: ", |_, config| {
            config.devices = vec![Device {
                host_path: "/dev/null".to_owned(),
                ..Device::default()
            }];
        }),
        ("config.CDI_devices: ", |_, config| {
            config.cdi_devices = vec![CdiDevice {
                name: "acme.com/card=one".to_owned(),
            }];
        }),
        ("config.mounts[/volume].propagation: ", |ground, config| {
            config.mounts = vec![Mount {
                propagation: MountPropagation::PropagationBidirectional as i32,
                ..directory(ground, "volume")
            }];
        }),
    ];
    for (field, change) in cases {
        let mut config = idle("refused");
        change(&ground, &mut config);
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{refused}");
        assert!(refused.message().contains("virtual machine"), "{refused}");
    }
}

#[test]
fn what_a_machine_can_not_share_is_refused_by_field_before_it_boots() {
    let host = host();
    let cri = Cri::start(&host);
    let mapping = vec![IdMapping {
        host_id: 65_536,
        container_id: 0,
        length: 65_536,
    }];
    let users = UserNamespace {
        mode: NamespaceMode::Pod as i32,
        uids: mapping.clone(),
        gids: mapping,
    };
    let node = NamespaceMode::Node as i32;
    let of = |change: &dyn Fn(&mut NamespaceOption)| {
        let mut options = NamespaceOption::default();
        change(&mut options);
        let mut config = cri_sandbox::config("box");
        let linux = config.linux.get_or_insert_default();
        linux.security_context = Some(LinuxSandboxSecurityContext {
            namespace_options: Some(options),
            ..LinuxSandboxSecurityContext::default()
        });
        let refused = cri_sandbox::run_by(&cri, "slow", &config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        refused.message().to_owned()
    };
    for (field, feature, refused) in [
        (
            "network",
            "host-network",
            of(&|options| options.network = node),
        ),
        ("pid", "host-pids", of(&|options| options.pid = node)),
        ("ipc", "host-namespaces", of(&|options| options.ipc = node)),
        (
            "userns_options",
            "user-namespaces",
            of(&|options| options.userns_options = Some(users.clone())),
        ),
    ] {
        let words = format!("config.linux.security_context.namespace_options.{field}: ");
        assert!(refused.starts_with(&words), "{refused}");
        assert!(refused.contains(&format!("`{feature}`")), "{refused}");
        assert!(refused.contains("isolator `kvm`"), "{refused}");
    }
    assert!(host.pod_uuids().is_empty());
}

#[test]
fn handlers_tell_what_they_can_do() {
    let host = host();
    let cri = Cri::start(&host);
    let status = cri.call(cri.runtime().status(StatusRequest::default()));
    let status = status.unwrap();
    let told: Vec<_> = status
        .runtime_handlers
        .iter()
        .map(|handler| {
            let features = handler.features.as_ref().unwrap();
            let features = (
                features.recursive_read_only_mounts,
                features.user_namespaces,
            );
            (&*handler.name, features)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("", (true, true)),
            ("fairing", (true, true)),
            (HANDLER, (true, false)),
            ("slow", (true, false)),
        ]
    );
    let features = status.features.unwrap();
    assert!(features.supplemental_groups_policy && features.mount_options);
    assert!(features.user_namespaces_host_network);
}

#[test]
fn a_handler_whose_machines_can_not_run_is_not_offered_and_says_why() {
    let host = cri_sandbox::host();
    let config = "[cri]\nnetwork = \"none\"\n[cri.runtime-handlers]\nslow = \"kvm\"\n[kvm]\nkernel = \"/no/such/kernel\"\n";
    host.write("etc/config.toml", config);
    let cri = Cri::start(&host);
    let status = cri.call(cri.runtime().status(StatusRequest::default()));
    let handlers = status.unwrap().runtime_handlers;
    let names: Vec<_> = handlers.iter().map(|handler| &*handler.name).collect();
    assert_eq!(names, ["", "fairing"]);
    let refused = cri_sandbox::run_by(&cri, HANDLER, &cri_sandbox::config("web")).unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    for part in [HANDLER, "/no/such/kernel"] {
        assert!(refused.message().contains(part), "{refused}");
    }
    let journal = cri.journal();
    for told in [
        "[cri.runtime-handlers] slow: it is not offered: ",
        refused.message(),
    ] {
        assert!(journal.contains(told), "{journal}");
    }
}
