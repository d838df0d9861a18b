//! Sandboxes whose root is nobody on the host.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use cri_shim::api::{
    ContainerConfig, IdMapping, ImageSpec, LinuxSandboxSecurityContext, Mount, NamespaceMode,
    NamespaceOption, PodSandboxConfig, UserNamespace,
};
use harness::{Cri, ImageBuilder, Layer};
use tonic::Code;

use crate::cri_containers::{Ground, idle, script, security};
use crate::cri_sandbox;
use crate::stocked::import;

/// The first of the pod's users on the host.
const FIRST: u32 = 1_000_000;
const LENGTH: u32 = 65_536;

fn mapping(host_id: u32, container_id: u32, length: u32) -> Vec<IdMapping> {
    vec![IdMapping {
        host_id,
        container_id,
        length,
    }]
}

fn users(mode: NamespaceMode, ids: &[IdMapping]) -> NamespaceOption {
    NamespaceOption {
        userns_options: Some(UserNamespace {
            mode: mode as i32,
            uids: ids.to_vec(),
            gids: ids.to_vec(),
        }),
        ..NamespaceOption::default()
    }
}

fn with(sandbox: &mut PodSandboxConfig, options: NamespaceOption) {
    let linux = sandbox.linux.get_or_insert_default();
    linux.security_context = Some(LinuxSandboxSecurityContext {
        namespace_options: Some(options),
        ..LinuxSandboxSecurityContext::default()
    });
}

fn own_users() -> NamespaceOption {
    users(NamespaceMode::Pod, &mapping(FIRST, 0, LENGTH))
}

fn ground() -> Ground {
    Ground::of(ImageBuilder::busybox(), |sandbox| {
        with(sandbox, own_users())
    })
}

/// As a kubelet asks for it: a container's namespaces are its sandbox's.
fn of(mut config: ContainerConfig) -> ContainerConfig {
    security(&mut config).namespace_options = Some(own_users());
    config
}

/// Numbers that one line shows, whatever is between.
fn numbers(text: &str) -> Vec<u32> {
    let words = text.split_whitespace();
    words.map(|word| word.parse().unwrap()).collect()
}

#[test]
fn users_of_a_sandbox_are_those_that_a_kubelet_has_given_it() {
    let ground = ground();
    let told = cri_sandbox::status(&ground.cri, &ground.sandbox).unwrap();
    let options = told.linux.unwrap().namespaces.unwrap().options.unwrap();
    assert_eq!(options, own_users());
    let id = ground.run(&of(idle("web")));
    for file in ["uid_map", "gid_map"] {
        let map = ground.sh(&id, &format!("cat /proc/self/{file}"));
        assert_eq!(numbers(&map), [0, FIRST, LENGTH]);
    }
    // All files of the image are the pod's, and what it writes is on the host.
    assert_eq!(
        ground.sh(&id, "touch /mine; stat -c %u:%g /bin/sh /mine /dev/shm"),
        "0:0\n0:0\n0:0"
    );
    let processes = ground.host.processes_named("sh");
    assert!(!processes.is_empty());
    for process in processes {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("Uid:"));
        assert_eq!(numbers(&line.unwrap()["Uid:".len()..]), [FIRST; 4]);
    }
    let user = ground.status(&id).user.unwrap().linux.unwrap();
    assert_eq!((user.uid, user.gid), (0, 0), "in the pod's own numbers");
}

#[test]
fn the_mapping_of_the_conformance_suite_is_one() {
    // It overlaps users of the host, and is larger than those of fairing's own.
    let options = users(NamespaceMode::Pod, &mapping(1000, 0, 100_000));
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        with(sandbox, options.clone());
    });
    let mut config = script(
        "web",
        "cat /proc/self/uid_map; chown 99999 /tmp; stat -c %u /tmp",
    );
    security(&mut config).namespace_options = Some(options);
    ground.run_to_end(&config);
    assert_eq!(numbers(&ground.logged("web")), [0, 1000, 100_000, 99_999]);
}

#[test]
fn volumes_keep_their_owners_where_their_mounts_are_mapped() {
    let ground = ground();
    let path = ground.host.base().join("volume");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("theirs"), "").unwrap();
    chown(path.join("theirs"), Some(1000), Some(50)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let volume = |place: &str, mapping: &[IdMapping]| Mount {
        container_path: place.to_owned(),
        host_path: path.to_str().unwrap().to_owned(),
        uid_mappings: mapping.to_vec(),
        gid_mappings: mapping.to_vec(),
        ..Mount::default()
    };
    let mut config = of(script(
        "web",
        "stat -c %u:%g /mapped/theirs; touch /mapped/mine; touch /plain/outside; \
         chown 7:8 /mapped/mine; stat -c %u:%g /mapped/mine /plain/outside /plain/theirs",
    ));
    config.mounts = vec![
        volume("/mapped", &mapping(FIRST, 0, LENGTH)),
        volume("/plain", &[]),
    ];
    let ended = ground.run_to_end(&config);
    let logged = ground.logged("web");
    assert_eq!(ended.exit_code, 0, "{logged}");
    assert_eq!(logged, "1000:50\n7:8\n0:0\n65534:65534");
    let owner = |name: &str| {
        let found = fs::metadata(path.join(name)).unwrap();
        (found.uid(), found.gid())
    };
    assert_eq!(owner("mine"), (7, 8), "on the host as in the pod");
    assert_eq!(owner("outside"), (FIRST, FIRST), "nobody maps it");
    assert_eq!(
        ground.status(&ground_id(&ground, "web")).mounts,
        config.mounts
    );

    let mut other = of(idle("other"));
    other.mounts = vec![volume("/mapped", &mapping(FIRST + LENGTH, 0, LENGTH))];
    let refused = ground.try_create(&other).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().contains(
            "config.mounts[/mapped].uid_mappings: a mount has the mappings of its sandbox"
        ),
        "{refused}"
    );
}

#[test]
fn images_that_are_mounted_are_the_users_of_the_sandbox() {
    let ground = ground();
    let layer = Layer::new().file("data/hello", "hello\n", 0o600);
    let image = ImageBuilder::new().layer(layer).build();
    import(&ground.host, &image, "test.example/volume:1");
    let mut config = of(script(
        "web",
        "cat /image/hello; stat -c %u:%g /image/hello",
    ));
    config.mounts = vec![Mount {
        container_path: "/image".to_owned(),
        readonly: true,
        image: Some(ImageSpec {
            image: "test.example/volume:1".to_owned(),
            ..ImageSpec::default()
        }),
        image_sub_path: "data".to_owned(),
        ..Mount::default()
    }];
    ground.run_to_end(&config);
    assert_eq!(ground.logged("web"), "hello\n0:0");
}

/// The only container of a ground.
fn ground_id(ground: &Ground, name: &str) -> String {
    // The same request gives the same id.
    ground.create(&script(name, ""))
}

#[test]
fn a_container_has_the_users_of_its_sandbox() {
    let ground = ground();
    let of = |options: Option<NamespaceOption>| {
        let mut config = idle("web");
        security(&mut config).namespace_options = options;
        ground.try_create(&config)
    };
    for wrong in [
        users(NamespaceMode::Pod, &mapping(FIRST + LENGTH, 0, LENGTH)),
        users(NamespaceMode::Pod, &mapping(FIRST, 0, LENGTH / 2)),
        users(NamespaceMode::Node, &[]),
    ] {
        let refused = of(Some(wrong)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused
                .message()
                .contains("namespace_options.userns_options: "),
            "{refused}"
        );
    }
    // Who says nothing has the sandbox's.
    of(None).unwrap();
}

#[test]
fn mappings_that_can_not_be_are_refused_and_leave_nothing() {
    let host = cri_sandbox::host();
    let cri = Cri::start(&host);
    let two = [mapping(1000, 0, 100_000), mapping(2000, 0, 100_000)].concat();
    for options in [
        users(NamespaceMode::Pod, &two),
        users(NamespaceMode::Pod, &mapping(1000, 1, 100_000)),
        users(NamespaceMode::Pod, &[]),
        users(NamespaceMode::Pod, &mapping(u32::MAX, 0, 2)),
        users(NamespaceMode::Node, &mapping(1000, 0, 100_000)),
        users(NamespaceMode::Container, &[]),
        users(NamespaceMode::Target, &[]),
    ] {
        let mut config = cri_sandbox::config("box");
        with(&mut config, options);
        let refused = cri_sandbox::run(&cri, &config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("userns_options"), "{refused}");
    }
    // Those of the host can't be shared by who has others.
    for share in [
        |options: &mut NamespaceOption| options.pid = NamespaceMode::Node as i32,
        |options: &mut NamespaceOption| options.ipc = NamespaceMode::Node as i32,
    ] {
        let mut config = cri_sandbox::config("box");
        let mut options = own_users();
        share(&mut options);
        with(&mut config, options);
        let refused = cri_sandbox::run(&cri, &config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("users of its own"), "{refused}");
    }
    assert!(host.pod_uuids().is_empty());
}

#[test]
fn the_hosts_users_are_those_that_are_asked_for() {
    let options = users(NamespaceMode::Node, &[]);
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        with(sandbox, options.clone());
    });
    let mut config = script("web", "cat /proc/self/uid_map");
    security(&mut config).namespace_options = Some(options);
    ground.run_to_end(&config);
    let host = fs::read_to_string("/proc/self/uid_map").unwrap();
    assert_eq!(numbers(&ground.logged("web")), numbers(&host));
}

#[test]
fn a_sandbox_has_users_of_its_own_in_the_hosts_network() {
    let mut options = own_users();
    options.network = NamespaceMode::Node as i32;
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        with(sandbox, options.clone());
    });
    let mut config = script(
        "web",
        "cat /proc/self/uid_map; ls /sys/class/net | grep -c .; readlink /proc/self/ns/net",
    );
    security(&mut config).namespace_options = Some(options);
    ground.run_to_end(&config);
    let logged = ground.logged("web");
    let lines: Vec<_> = logged.lines().collect();
    assert_eq!(numbers(lines[0]), [0, FIRST, LENGTH], "{logged}");
    let interfaces = fs::read_dir("/sys/class/net").unwrap().count();
    assert_eq!(lines[1], interfaces.to_string(), "{logged}");
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(lines[2], own.to_str().unwrap(), "{logged}");
}
