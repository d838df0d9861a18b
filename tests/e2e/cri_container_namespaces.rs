//! Which namespaces containers of a sandbox are in: which processes, segments and files in memory they see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cri_shim::api::{ContainerConfig, NamespaceMode, NamespaceOption};
use harness::ImageBuilder;
use tonic::Code;

use crate::cri_containers::{Ground, idle, script, security};

fn options(pid: NamespaceMode) -> NamespaceOption {
    NamespaceOption {
        pid: pid as i32,
        ..NamespaceOption::default()
    }
}

fn among(mut config: ContainerConfig, pid: NamespaceMode) -> ContainerConfig {
    security(&mut config).namespace_options = Some(options(pid));
    config
}

fn ground(pid: NamespaceMode) -> Ground {
    Ground::of(ImageBuilder::busybox(), |sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        security.namespace_options = Some(options(pid));
    })
}

/// What it is called is in its environment.
const OTHERS: &str = "ps -o args | grep -c '[u]sleep 5000; done' || true; echo pid $$";

#[test]
fn containers_have_processes_of_their_own() {
    let ground = ground(NamespaceMode::Container);
    ground.run(&among(idle("other"), NamespaceMode::Container));
    ground.run_to_end(&among(script("web", OTHERS), NamespaceMode::Container));
    let logged = ground.logged("web");
    assert!(
        logged.ends_with("pid 1") && logged.starts_with('0'),
        "{logged}"
    );
}

#[test]
fn containers_share_the_processes_of_their_sandbox() {
    let ground = ground(NamespaceMode::Pod);
    ground.run(&among(idle("other"), NamespaceMode::Pod));
    ground.run_to_end(&among(script("web", OTHERS), NamespaceMode::Pod));
    let logged = ground.logged("web");
    assert!(
        !logged.ends_with("pid 1") && !logged.starts_with('0'),
        "{logged}"
    );
}

#[test]
fn a_container_is_in_the_namespaces_of_its_sandbox() {
    let ground = ground(NamespaceMode::Pod);
    let refused = |change: fn(&mut NamespaceOption)| {
        let mut config = idle("web");
        let options = security(&mut config)
            .namespace_options
            .get_or_insert_default();
        change(options);
        let refused = ground.try_create(&config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        refused.message().to_owned()
    };
    let network = refused(|options| options.network = NamespaceMode::Node as i32);
    assert!(network.contains("namespace_options.network: "), "{network}");
    assert!(refused(|options| options.ipc = NamespaceMode::Node as i32).contains(".ipc: "));
    assert!(refused(|options| options.pid = NamespaceMode::Node as i32).contains(".pid: "));
    assert!(refused(|options| options.pid = 99).contains("no mode 99"));
}

#[test]
fn a_container_joins_the_processes_of_another_one() {
    let ground = ground(NamespaceMode::Container);
    let target = ground.run(&among(idle("target"), NamespaceMode::Container));
    let mut config = among(script("debugger", OTHERS), NamespaceMode::Target);
    let options = security(&mut config).namespace_options.as_mut().unwrap();
    options.target_id.clone_from(&target);
    ground.run_to_end(&config);
    let logged = ground.logged("debugger");
    assert!(
        !logged.ends_with("pid 1") && !logged.starts_with('0'),
        "{logged}"
    );
    let mut nobody = among(idle("nobody"), NamespaceMode::Target);
    let options = security(&mut nobody).namespace_options.as_mut().unwrap();
    options.target_id = "unknown".to_owned();
    let refused = ground.try_create(&nobody).unwrap_err();
    assert!(refused.message().contains("target_id: "), "{refused}");
}

#[test]
fn containers_of_a_sandbox_with_the_hosts_processes_see_them() {
    let ground = ground(NamespaceMode::Node);
    let shim = ground.cri.pid();
    let text = format!("test -d /proc/{shim} && echo seen");
    ground.run_to_end(&among(script("web", &text), NamespaceMode::Node));
    assert_eq!(ground.logged("web"), "seen");
}

#[test]
fn a_container_that_says_nothing_of_a_namespace_has_its_sandboxs() {
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        let node = NamespaceMode::Node as i32;
        security.namespace_options = Some(NamespaceOption {
            network: node,
            pid: node,
            ipc: node,
            ..NamespaceOption::default()
        });
    });
    let text = "for name in net pid ipc; do readlink /proc/self/ns/$name; done";
    let said = ground.said("web", text, |config| {
        security(config).namespace_options = Some(NamespaceOption::default());
    });
    let own = ["net", "pid", "ipc"].map(|name| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        link.to_str().unwrap().to_owned()
    });
    assert_eq!(said.lines().collect::<Vec<_>>(), own);
}

/// A segment of System V in the namespace of the machine.
struct Segment(String);

impl Segment {
    fn new() -> Self {
        let made = Command::new("ipcmk").args(["--shmem", "4096"]).output();
        let told = String::from_utf8(made.unwrap().stdout).unwrap();
        Self(told.rsplit(' ').next().unwrap().trim().to_owned())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = Command::new("ipcrm").args(["--shmem-id", &self.0]).status();
    }
}

/// A file in the memory of the machine.
struct Shared(PathBuf);

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Which of the machine's segment and file containers see whose sandbox has this IPC, and what one leaves to another one.
fn seen(ipc: NamespaceMode) -> (bool, bool) {
    let segment = Segment::new();
    let mut ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        let options = security.namespace_options.get_or_insert_default();
        options.ipc = ipc as i32;
    });
    let name = ground.host.base().file_name().unwrap().to_owned();
    let file = Shared(Path::new("/dev/shm").join(name));
    fs::write(&file.0, "").unwrap();
    let among = |mut config: ContainerConfig| {
        let options = security(&mut config)
            .namespace_options
            .get_or_insert_default();
        options.ipc = ipc as i32;
        config
    };
    let path = file.0.display();
    let first = ground.run(&among(idle("first")));
    let second = ground.run(&among(idle("second")));
    ground.sh(&first, &format!("echo hello > {path}-of-pod"));
    let shared = ground.sh(&second, &format!("cat {path}-of-pod; rm {path}-of-pod"));
    assert_eq!(shared, "hello");
    let namespace = "readlink /proc/self/ns/ipc";
    let own = ground.sh(&first, namespace);
    assert_eq!(own, ground.sh(&second, namespace));
    let of_machine = fs::read_link("/proc/self/ns/ipc").unwrap();
    assert_eq!(
        Path::new(&own) == of_machine,
        ipc == NamespaceMode::Node,
        "{own}"
    );
    let segments = ground.sh(&first, "tail -n +2 /proc/sysvipc/shm");
    let mut segments = segments.lines().map(|line| line.split_whitespace().nth(1));
    let is_there = segments.any(|id| id == Some(&*segment.0));
    let file_is_there = ground.sh(&first, &format!("test -e {path} && echo yes || echo no"));
    // Its containers end before what they see of the machine does.
    crate::cri_sandbox::remove(&ground.cri, &ground.sandbox).unwrap();
    ground.sandbox.clear();
    (is_there, file_is_there == "yes")
}

#[test]
fn containers_share_the_memory_of_their_sandbox_and_nobody_elses() {
    assert_eq!(seen(NamespaceMode::Pod), (false, false));
}

#[test]
fn containers_of_a_sandbox_with_the_hosts_ipc_share_the_hosts_memory() {
    assert_eq!(seen(NamespaceMode::Node), (true, true));
}
