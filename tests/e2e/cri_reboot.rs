//! A node that boots anew: all processes, cgroups and namespaces are gone, and what lay in the runtime directory.

use std::fs;
use std::path::Path;

use cri_shim::api::{
    ListContainersRequest, PodSandboxState, RemoveContainerRequest, StartContainerRequest,
    StopContainerRequest,
};
use harness::{Cri, wait_until};
use tonic::Code;

use crate::cri_containers::{CREATED, EXITED, RUNNING, SOON, idle, script};
use crate::cri_power_loss::{addresses, asked, create};
use crate::cri_sandbox::{remove, run, status, stop};
use crate::network_lab::Lab;

const READY: i32 = PodSandboxState::SandboxReady as i32;
const NOT_READY: i32 = PodSandboxState::SandboxNotready as i32;

fn start(cri: &Cri, id: &str) {
    let container_id = id.to_owned();
    let request = StartContainerRequest { container_id };
    cri.call(cri.runtime().start_container(request)).unwrap();
}

fn state(cri: &Cri, id: &str) -> i32 {
    container(cri, id).state
}

fn container(cri: &Cri, id: &str) -> cri_shim::api::ContainerStatus {
    let request = cri_shim::api::ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: false,
    };
    let told = cri.call(cri.runtime().container_status(request)).unwrap();
    told.status.unwrap()
}

/// Pods run, the machine boots, and their kubelet finds what there was, clears it up and makes them anew. `leases` is where
/// a plugin keeps addresses on the disk. `torn` are the records of pods that a loss of power leaves empty.
fn pods_are_told_of_and_made_anew(lab: &Lab, leases: Option<&Path>, torn: &[&str]) {
    let mut cri = Cri::start(&lab.host);
    let config = asked(lab);
    let id = run(&cri, &config).unwrap();
    let before = status(&cri, &id).unwrap();
    let address = before.network.as_ref().unwrap().ip.clone();
    assert!(!address.is_empty());
    let running = create(&cri, &id, idle("running")).unwrap();
    start(&cri, &running);
    let ended = create(&cri, &id, script("ended", "exit 7")).unwrap();
    start(&cri, &ended);
    wait_until("its end", SOON, || {
        (state(&cri, &ended) == EXITED).then_some(())
    });
    let created = create(&cri, &id, idle("created")).unwrap();

    cri.kill();
    lab.reboot();
    for (phase, uuid) in lab.host.pod_folders() {
        for record in torn {
            let pods = lab.host.data_dir().join("pods");
            let record = pods.join(&phase).join(&uuid).join(record);
            assert!(record.exists(), "{record:?}");
            fs::write(record, "").unwrap();
        }
    }
    cri.restart();
    let told = status(&cri, &id).unwrap();
    assert_eq!(told.state, NOT_READY);
    assert_eq!(
        (&told.metadata, told.created_at),
        (&before.metadata, before.created_at)
    );
    let lost = container(&cri, &running);
    assert_eq!(
        (lost.state, lost.exit_code, &*lost.reason),
        (EXITED, 255, "Unknown")
    );
    assert!(lost.started_at > 0 && lost.finished_at >= lost.started_at);
    let known = container(&cri, &ended);
    assert_eq!(
        (known.state, known.exit_code, &*known.reason),
        (EXITED, 7, "Error")
    );
    assert_eq!(state(&cri, &created), CREATED);
    // As a kubelet does it: containers, then the sandbox.
    for container_id in [&running, &ended, &created].map(Clone::clone) {
        let request = StopContainerRequest {
            container_id: container_id.clone(),
            timeout: 1,
        };
        cri.call(cri.runtime().stop_container(request)).unwrap();
        if container_id != running {
            let request = RemoveContainerRequest { container_id };
            cri.call(cri.runtime().remove_container(request)).unwrap();
        }
    }
    stop(&cri, &id).unwrap();
    if let Some(leases) = leases {
        assert!(!leases.join(&address).exists(), "{address} is not free");
    }
    // The port and the name are the next one's, while the old one is still there.
    let mut next = config.clone();
    next.metadata.as_mut().unwrap().attempt = 1;
    let next = run(&cri, &next).unwrap();
    assert_eq!(status(&cri, &next).unwrap().state, READY);
    let again = create(&cri, &next, idle("running")).unwrap();
    start(&cri, &again);
    assert_eq!(state(&cri, &again), RUNNING);
    remove(&cri, &id).unwrap();
    let gone = status(&cri, &id).unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    remove(&cri, &next).unwrap();
    let all = ListContainersRequest { filter: None };
    let left = cri.call(cri.runtime().list_containers(all)).unwrap();
    assert!(left.containers.is_empty());
    if let Some(leases) = leases {
        let left = addresses(leases);
        assert!(left.is_empty(), "{left:?}");
    }
    cri.kill();
    lab.host.expect_clean();
}

#[test]
fn pods_of_a_built_in_network_are_told_of_and_made_anew_after_a_boot() {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    pods_are_told_of_and_made_anew(&lab, None, &[]);
}

/// The same with plugins, which keep addresses on the disk.
fn with_plugins(torn: &[&str]) {
    let lab = Lab::new();
    let data = lab.host.base().join("host-local");
    lab.host
        .write("cni/50-lan.conflist", crate::cri_soak::of_plugins(&data));
    pods_are_told_of_and_made_anew(&lab, Some(&data.join("lan")), torn);
}

#[test]
fn pods_of_plugins_give_back_what_plugins_keep_on_disk_after_a_boot() {
    with_plugins(&[]);
}

#[test]
fn what_plugins_keep_is_given_back_where_nobody_knows_any_more_which_networks_a_pod_joined() {
    with_plugins(&["network.json"]);
}
