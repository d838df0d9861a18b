//! What is asked of sandboxes and containers that are to be made.

use std::collections::BTreeMap;

use cri_shim::api::*;
use tonic::Code;

use super::requests::resources;
use super::{MANY, Victim, long};
use crate::cri_containers::{idle, security};
use crate::cri_sandbox::{config, run};

fn many(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|n| (format!("key{n}"), n.to_string()))
        .collect()
}

fn of_sandbox(config: &mut PodSandboxConfig) -> &mut LinuxSandboxSecurityContext {
    let linux = config.linux.get_or_insert_default();
    linux.security_context.get_or_insert_default()
}

fn namespaces(config: &mut PodSandboxConfig) -> &mut NamespaceOption {
    of_sandbox(config).namespace_options.get_or_insert_default()
}

fn port(config: &mut PodSandboxConfig, change: fn(&mut PortMapping)) {
    let mut mapping = PortMapping {
        container_port: 80,
        host_port: 8080,
        ..PortMapping::default()
    };
    change(&mut mapping);
    config.port_mappings = vec![mapping];
}

fn mapped(config: &mut PodSandboxConfig, mode: NamespaceMode, host_id: u32, length: u32) {
    let mapping = IdMapping {
        host_id,
        container_id: 0,
        length,
    };
    namespaces(config).userns_options = Some(UserNamespace {
        mode: mode as i32,
        uids: vec![mapping],
        gids: vec![mapping],
    });
}

type OfSandbox = fn(&mut PodSandboxConfig);

/// What makes no sense of a sandbox, by the field that says so.
const SANDBOXES: &[(&str, OfSandbox)] = &[
    ("config.metadata: ", |c| c.metadata = None),
    ("config.metadata.name: ", |c| {
        c.metadata.as_mut().unwrap().name.clear()
    }),
    ("config.metadata.uid: ", |c| {
        c.metadata.as_mut().unwrap().uid.clear()
    }),
    ("config.metadata.namespace: ", |c| {
        c.metadata.as_mut().unwrap().namespace.clear()
    }),
    ("config: ", |c| c.metadata.as_mut().unwrap().name = long()),
    ("config.hostname: ", |c| c.hostname = "x".repeat(65)),
    ("config.hostname: ", |c| c.hostname = "a/b".into()),
    ("config.hostname: ", |c| c.hostname = "a\nb".into()),
    ("config.hostname: ", |c| c.hostname = "\0".into()),
    ("config.hostname: ", |c| c.hostname = "..".into()),
    ("config.log_directory: ", |c| {
        c.log_directory = "logs".into()
    }),
    ("config.log_directory: ", |c| {
        c.log_directory = "/a\0b".into()
    }),
    ("config.log_directory: ", |c| {
        c.log_directory = "/a/../b".into()
    }),
    ("config.log_directory: ", |c| {
        c.log_directory = format!("/{}", "x/".repeat(3000))
    }),
    ("config.dns_config.servers: ", |c| {
        c.dns_config.get_or_insert_default().servers = vec!["dns.example".into()];
    }),
    ("config.dns_config.servers: ", |c| {
        c.dns_config.get_or_insert_default().servers = vec!["10.0.0.1".into(); MANY / 2];
    }),
    ("config.dns_config.searches: ", |c| {
        c.dns_config.get_or_insert_default().searches = vec!["a\nnameserver 1.1.1.1".into()];
    }),
    ("config.dns_config.options: ", |c| {
        c.dns_config.get_or_insert_default().options = vec!["x".into(); MANY];
    }),
    ("config.port_mappings: ", |c| {
        port(c, |p| p.container_port = 0)
    }),
    ("config.port_mappings: ", |c| {
        port(c, |p| p.container_port = -1)
    }),
    ("config.port_mappings: ", |c| {
        port(c, |p| p.host_port = 65_536)
    }),
    ("config.port_mappings: ", |c| {
        port(c, |p| p.host_port = i32::MIN)
    }),
    ("config.port_mappings: ", |c| port(c, |p| p.protocol = 99)),
    ("config.port_mappings: ", |c| {
        port(c, |p| p.host_ip = "x".into())
    }),
    ("config.port_mappings: ", |c| {
        port(c, |_| ());
        c.port_mappings = vec![c.port_mappings[0].clone(); 2];
    }),
    ("config.port_mappings: ", |c| {
        c.port_mappings = (0..60_000)
            .map(|number| PortMapping {
                container_port: 1 + number,
                host_port: 1 + number,
                ..PortMapping::default()
            })
            .collect();
    }),
    ("config: ", |c| c.labels = many(MANY)),
    ("config: ", |c| c.annotations = many(MANY)),
    ("config: ", |c| {
        c.annotations.insert("a".into(), long());
    }),
    ("config.linux.cgroup_parent: ", |c| {
        c.linux.get_or_insert_default().cgroup_parent = "/a/../../b".into();
    }),
    ("config.linux.cgroup_parent: ", |c| {
        c.linux.get_or_insert_default().cgroup_parent = "/\0".into();
    }),
    ("config.linux.cgroup_parent: ", |c| {
        c.linux.get_or_insert_default().cgroup_parent = "/a".repeat(2000);
    }),
    ("config.linux.sysctls: ", |c| {
        let sysctls = &mut c.linux.get_or_insert_default().sysctls;
        sysctls.insert("kernel.panic".into(), "1".into());
    }),
    ("config.linux.sysctls: ", |c| {
        let sysctls = &mut c.linux.get_or_insert_default().sysctls;
        sysctls.insert("net.ipv4/../../kernel/panic".into(), "1".into());
    }),
    ("config.linux.sysctls: ", |c| {
        let sysctls = &mut c.linux.get_or_insert_default().sysctls;
        sysctls.insert("net.ipv4.ip_forward".into(), "1\0".into());
    }),
    ("config.linux.sysctls: ", |c| {
        let many = (0..20_000).map(|n| (format!("net.a{n}"), "1".into()));
        c.linux.get_or_insert_default().sysctls = many.collect();
    }),
    ("namespace_options.network: ", |c| namespaces(c).network = 9),
    ("namespace_options.network: ", |c| {
        namespaces(c).network = NamespaceMode::Target as i32;
    }),
    ("namespace_options.pid: ", |c| namespaces(c).pid = -1),
    ("namespace_options.pid: ", |c| {
        namespaces(c).pid = NamespaceMode::Target as i32;
    }),
    ("namespace_options.ipc: ", |c| namespaces(c).ipc = 9),
    ("userns_options.mode: ", |c| {
        mapped(c, NamespaceMode::Container, 100_000, 65_536);
    }),
    ("userns_options", |c| {
        mapped(c, NamespaceMode::Pod, 100_000, 0)
    }),
    ("userns_options", |c| {
        mapped(c, NamespaceMode::Pod, u32::MAX - 5, 65_536);
    }),
    ("userns_options", |c| {
        mapped(c, NamespaceMode::Pod, 100_000, 65_536);
        let all = namespaces(c).userns_options.as_mut().unwrap();
        all.uids = vec![all.uids[0]; MANY];
    }),
    ("config.linux.security_context.run_as_group: ", |c| {
        of_sandbox(c).run_as_group = Some(Int64Value { value: 1 });
    }),
];

#[test]
fn sandboxes_that_make_no_sense_are_refused_by_field() {
    let victim = Victim::new();
    // Made once, so that its network is there.
    let first = run(&victim.cri, &config("first")).unwrap();
    let nothing = RunPodSandboxRequest::default();
    let mut client = victim.cri.runtime();
    let asked = client.run_pod_sandbox(nothing);
    victim.refused("nothing", Code::InvalidArgument, "config: ", asked);
    for (number, (field, change)) in SANDBOXES.iter().enumerate() {
        let mut asked = config("hostile");
        change(&mut asked);
        let request = RunPodSandboxRequest {
            config: Some(asked),
            runtime_handler: String::new(),
        };
        let mut client = victim.cri.runtime();
        let what = format!("sandbox {number}");
        victim.refused(
            &what,
            Code::InvalidArgument,
            field,
            client.run_pod_sandbox(request),
        );
    }
    for handler in ["runc", "../kvm", "\0", &long()] {
        let request = RunPodSandboxRequest {
            config: Some(config("hostile")),
            runtime_handler: handler.to_owned(),
        };
        let mut client = victim.cri.runtime();
        let asked = client.run_pod_sandbox(request);
        victim.refused("handler", Code::InvalidArgument, "runtime_handler: ", asked);
    }
    assert_eq!(victim.count(), (1, 0));
    crate::cri_sandbox::remove(&victim.cri, &first).unwrap();
    assert!(victim.lab.host.pod_folders().is_empty());
    assert!(victim.lab.host.leftovers().names.is_empty());
    victim.is_well();
}

type OfContainer = fn(&mut ContainerConfig);

fn mount(config: &mut ContainerConfig, change: fn(&mut Mount)) {
    let mut mount = Mount {
        container_path: "/data".into(),
        host_path: "/tmp".into(),
        ..Mount::default()
    };
    change(&mut mount);
    config.mounts = vec![mount];
}

fn device(config: &mut ContainerConfig, host_path: &str, container_path: &str, permissions: &str) {
    config.devices = vec![Device {
        container_path: container_path.to_owned(),
        host_path: host_path.to_owned(),
        permissions: permissions.to_owned(),
    }];
}

fn env(config: &mut ContainerConfig, key: &str, value: &[u8]) {
    config.envs = vec![KeyValue {
        key: key.to_owned(),
        value: value.to_vec(),
    }];
}

const LOCALHOST: i32 = security_profile::ProfileType::Localhost as i32;

/// What makes no sense of a container, by the field that says so.
const CONTAINERS: &[(&str, OfContainer)] = &[
    ("config.metadata: ", |c| c.metadata = None),
    ("config.metadata.name: ", |c| {
        c.metadata.as_mut().unwrap().name.clear()
    }),
    ("config: ", |c| c.metadata.as_mut().unwrap().name = long()),
    ("config.image.image: ", |c| c.image = None),
    ("config.image.image: ", |c| {
        c.image.as_mut().unwrap().image = "UPPER\0".into();
    }),
    ("config: ", |c| c.labels = many(MANY)),
    ("config: ", |c| c.annotations = many(MANY)),
    ("config.command", |c| c.command = vec![String::new()]),
    ("config.command: ", |c| c.command = vec!["a\0".into()]),
    ("config.args: ", |c| c.args = vec!["a\0".into()]),
    ("config.args: ", |c| c.args = vec!["x".into(); 3 * MANY]),
    ("config.working_dir: ", |c| c.working_dir = "rel".into()),
    ("config.working_dir: ", |c| c.working_dir = "/a\0".into()),
    ("config.working_dir: ", |c| {
        c.working_dir = "/x".repeat(5000)
    }),
    ("config.envs: ", |c| env(c, "", b"")),
    ("config.envs: ", |c| env(c, "A=B", b"")),
    ("config.envs: ", |c| env(c, "A", &[0xff, 0xfe])),
    ("config.envs: ", |c| env(c, "A", b"\0")),
    ("config", |c| {
        c.envs = (0..MANY)
            .map(|n| KeyValue {
                key: format!("K{n}"),
                value: b"v".to_vec(),
            })
            .collect();
    }),
    ("config.mounts", |c| mount(c, |m| m.container_path.clear())),
    ("config.mounts", |c| {
        mount(c, |m| m.container_path = "rel".into())
    }),
    ("config.mounts", |c| {
        mount(c, |m| m.container_path = "/".into())
    }),
    ("config.mounts", |c| mount(c, |m| m.host_path = "\0".into())),
    ("config.mounts", |c| {
        mount(c, |m| m.host_path = "tmp".into())
    }),
    ("config.mounts", |c| {
        mount(c, |m| m.host_path = "/proc/not-there".into())
    }),
    ("config.mounts", |c| {
        mount(c, |m| m.host_path = "/x".repeat(5000))
    }),
    ("config.mounts", |c| mount(c, |m| m.propagation = 9)),
    ("config.mounts", |c| {
        mount(c, |m| m.recursive_read_only = true)
    }),
    ("config.mounts", |c| {
        mount(c, |m| m.image_sub_path = "a".into())
    }),
    ("config.mounts", |c| {
        mount(c, |m| m.mount_options = vec!["x".into()])
    }),
    ("config.mounts: ", |c| {
        mount(c, |_| ());
        c.mounts = vec![c.mounts[0].clone(); 20_000];
    }),
    ("config.mounts", |c| {
        mount(c, |m| {
            m.host_path.clear();
            m.readonly = true;
            m.image = Some(ImageSpec {
                image: "..".into(),
                ..ImageSpec::default()
            });
        });
    }),
    ("config.devices", |c| device(c, "", "/dev/x", "rwm")),
    ("config.devices", |c| {
        device(c, "/dev/null", "/dev/x", "xyz")
    }),
    ("config.devices", |c| {
        device(c, "/dev/not-there", "/dev/x", "rwm")
    }),
    ("config.devices", |c| device(c, "/dev/null", "rel", "rwm")),
    ("config.devices", |c| {
        device(c, "/dev/null", "/dev/../etc/x", "rwm")
    }),
    ("config.devices", |c| {
        device(c, "/dev/nu\0ll", "/dev/x", "rwm")
    }),
    ("config.devices", |c| {
        device(c, "/dev/null", "/dev/x", "rwm");
        c.devices = vec![c.devices[0].clone(); 20_000];
    }),
    ("config.CDI_devices", |c| {
        c.cdi_devices = vec![CdiDevice {
            name: "nonsense".into(),
        }];
    }),
    ("config.CDI_devices", |c| {
        c.cdi_devices = vec![CdiDevice {
            name: "vendor.example/none=0".into(),
        }];
    }),
    ("config.log_path: ", |c| {
        c.log_path = "../../etc/passwd".into()
    }),
    ("config.log_path: ", |c| c.log_path = "/etc/passwd".into()),
    ("config.log_path: ", |c| c.log_path = "a\0".into()),
    ("config.stop_signal: ", |c| c.stop_signal = 99),
    ("config.stop_signal: ", |c| c.stop_signal = -1),
    ("oom_score_adj: ", |c| {
        let linux = c.linux.get_or_insert_default();
        linux.resources.get_or_insert_default().oom_score_adj = 1001;
    }),
    ("run_as_group: ", |c| {
        security(c).run_as_group = Some(Int64Value { value: 1 });
    }),
    ("run_as_user: ", |c| {
        security(c).run_as_user = Some(Int64Value { value: -1 });
    }),
    ("run_as_user: ", |c| {
        security(c).run_as_user = Some(Int64Value { value: i64::MAX });
    }),
    ("run_as_username: ", |c| {
        security(c).run_as_user = Some(Int64Value { value: 1 });
        security(c).run_as_username = "root".into();
    }),
    ("security_context", |c| {
        security(c).run_as_username = "nobody-here".into()
    }),
    ("security_context", |c| {
        security(c).run_as_username = "a\0".into()
    }),
    ("security_context", |c| {
        security(c).run_as_username = "a:b:c".into()
    }),
    ("supplemental_groups: ", |c| {
        security(c).supplemental_groups = vec![-1]
    }),
    ("supplemental_groups: ", |c| {
        security(c).supplemental_groups = (0..100_000).collect();
    }),
    ("supplemental_groups_policy: ", |c| {
        security(c).supplemental_groups_policy = 9;
    }),
    ("capabilities.add_capabilities: ", |c| {
        let capabilities = security(c).capabilities.get_or_insert_default();
        capabilities.add_capabilities = vec!["FLY".into()];
    }),
    ("capabilities.drop_capabilities: ", |c| {
        let capabilities = security(c).capabilities.get_or_insert_default();
        capabilities.drop_capabilities = vec!["\0".into(); MANY];
    }),
    ("namespace_options", |c| {
        security(c).namespace_options.get_or_insert_default().pid = 9;
    }),
    ("namespace_options", |c| {
        let options = security(c).namespace_options.get_or_insert_default();
        options.pid = NamespaceMode::Target as i32;
        options.target_id = "../..".into();
    }),
    ("seccomp", |c| {
        security(c).seccomp = Some(SecurityProfile {
            profile_type: 9,
            localhost_ref: String::new(),
        });
    }),
    ("seccomp", |c| {
        security(c).seccomp = Some(SecurityProfile {
            profile_type: LOCALHOST,
            localhost_ref: "/not/there.json".into(),
        });
    }),
    ("seccomp", |c| {
        security(c).seccomp = Some(SecurityProfile {
            profile_type: LOCALHOST,
            localhost_ref: "/etc/passwd\0".into(),
        });
    }),
    ("apparmor", |c| {
        security(c).apparmor = Some(SecurityProfile {
            profile_type: LOCALHOST,
            localhost_ref: "not-loaded".into(),
        });
    }),
    ("masked_paths: ", |c| {
        security(c).masked_paths = vec!["rel".into()]
    }),
    ("masked_paths: ", |c| {
        security(c).masked_paths = (0..20_000).map(|n| format!("/m{n}")).collect();
    }),
    ("readonly_paths: ", |c| {
        security(c).readonly_paths = vec!["/\0".into()]
    }),
    ("selinux_options", |c| {
        security(c).selinux_options = Some(SeLinuxOption {
            level: "a b\n".into(),
            ..SeLinuxOption::default()
        });
    }),
];

#[test]
fn containers_that_make_no_sense_are_refused_by_field() {
    let victim = Victim::new();
    let mut sandbox = config("web");
    sandbox.log_directory = victim.lab.host.base().to_str().unwrap().to_owned();
    let pod_sandbox_id = run(&victim.cri, &sandbox).unwrap();
    let create = |config: Option<ContainerConfig>| CreateContainerRequest {
        pod_sandbox_id: pod_sandbox_id.clone(),
        config,
        sandbox_config: None,
    };
    let mut client = victim.cri.runtime();
    let asked = client.create_container(create(None));
    victim.refused("nothing", Code::InvalidArgument, "config: ", asked);
    for (number, (field, change)) in CONTAINERS.iter().enumerate() {
        // What is taken against expectation has no other's name.
        let mut asked = idle(&format!("hostile{number}"));
        change(&mut asked);
        let mut client = victim.cri.runtime();
        let what = format!("container {number}");
        let asked = client.create_container(create(Some(asked)));
        victim.refused(&what, Code::InvalidArgument, field, asked);
    }
    for (number, (field, resources)) in resources().into_iter().enumerate() {
        let mut asked = idle(&format!("limits{number}"));
        asked.linux.get_or_insert_default().resources = Some(resources);
        let field = field.replace("linux", "config.linux.resources");
        let mut client = victim.cri.runtime();
        let asked = client.create_container(create(Some(asked)));
        victim.refused(&field, Code::InvalidArgument, &field, asked);
    }
    victim.is_well();
    assert_eq!(victim.count(), (1, 0));
    let mut client = victim.cri.runtime();
    let good = client.create_container(create(Some(idle("good"))));
    victim.answer("a good one", good).unwrap();
    assert_eq!(victim.count(), (1, 1));
    victim.is_well();
}
