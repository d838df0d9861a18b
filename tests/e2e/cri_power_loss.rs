//! Power goes while sandboxes run, over the CRI: whatever is left of one, its kubelet can clear it up, and makes it anew.

use std::fs;
use std::path::{Path, PathBuf};

use cri_shim::api::{
    ContainerConfig, ContainerStatusRequest, CreateContainerRequest, ListContainersRequest,
    ListPodSandboxRequest, PodSandboxConfig, PodSandboxState, PortMapping, StartContainerRequest,
};
use harness::{Cri, wait_until};
use tonic::{Code, Status};

use crate::cri_containers::{EXITED, SOON, idle, script};
use crate::cri_sandbox::{config, remove, run, status, stop};
use crate::network_lab::Lab;
use crate::power_loss::{Damage, Wreck, Wrong};

const READY: i32 = PodSandboxState::SandboxReady as i32;

pub(crate) fn asked(lab: &Lab) -> PodSandboxConfig {
    let mut config = config("web");
    config.log_directory = lab.host.base().to_str().unwrap().to_owned();
    config.port_mappings = vec![PortMapping {
        container_port: 80,
        host_port: 8080,
        ..PortMapping::default()
    }];
    config
}

pub(crate) fn create(cri: &Cri, sandbox: &str, config: ContainerConfig) -> Result<String, Status> {
    let request = CreateContainerRequest {
        pod_sandbox_id: sandbox.to_owned(),
        config: Some(config),
        sandbox_config: None,
    };
    let made = cri.call(cri.runtime().create_container(request))?;
    Ok(made.container_id)
}

fn start(cri: &Cri, container_id: String) -> Result<(), Status> {
    let request = StartContainerRequest { container_id };
    let started = cri.call(cri.runtime().start_container(request));
    started.map(drop)
}

/// The ids of all sandboxes, as a kubelet is told of them.
fn sandboxes(cri: &Cri) -> Result<Vec<String>, Status> {
    let request = ListPodSandboxRequest { filter: None };
    let listed = cri.call(cri.runtime().list_pod_sandbox(request))?;
    Ok(listed.items.into_iter().map(|one| one.id).collect())
}

fn containers(cri: &Cri) -> Result<Vec<String>, Status> {
    let request = ListContainersRequest { filter: None };
    let listed = cri.call(cri.runtime().list_containers(request))?;
    Ok(listed.containers.into_iter().map(|one| one.id).collect())
}

/// A sandbox with a container of each state. Its id.
fn begin(cri: &Cri, config: &PodSandboxConfig) -> String {
    let id = run(cri, config).unwrap();
    let running = create(cri, &id, idle("running")).unwrap();
    start(cri, running).unwrap();
    let ended = create(cri, &id, script("ended", "exit 7")).unwrap();
    start(cri, ended.clone()).unwrap();
    wait_until("its end", SOON, || {
        let request = ContainerStatusRequest {
            container_id: ended.clone(),
            verbose: false,
        };
        let told = cri.call(cri.runtime().container_status(request)).unwrap();
        (told.status.unwrap().state == EXITED).then_some(())
    });
    create(cri, &id, idle("created")).unwrap();
    id
}

/// What a kubelet does after a boot that wants the same pod: it ends what it is told of, and makes the next attempt.
fn made_anew(cri: &Cri, config: &PodSandboxConfig) -> Result<(), Status> {
    let known = sandboxes(cri)?;
    for container_id in containers(cri)? {
        let request = ContainerStatusRequest {
            container_id,
            verbose: true,
        };
        cri.call(cri.runtime().container_status(request))?;
    }
    for id in &known {
        status(cri, id)?;
        stop(cri, id)?;
    }
    let mut next = config.clone();
    next.metadata.as_mut().unwrap().attempt = u32::from(!known.is_empty());
    let id = run(cri, &next)?;
    let container = create(cri, &id, idle("running"))?;
    start(cri, container)?;
    assert_eq!(status(cri, &id)?.state, READY);
    for id in sandboxes(cri)? {
        remove(cri, &id)?;
    }
    Ok(())
}

/// What it does with an id that it has kept.
fn removed(cri: &Cri, id: &str) -> Result<(), Status> {
    stop(cri, id)?;
    remove(cri, id)?;
    match status(cri, id) {
        Err(gone) if gone.code() == Code::NotFound => Ok(()),
        Err(other) => Err(other),
        Ok(_) => Err(Status::internal("it is still there")),
    }
}

/// The addresses that the plugin `host-local` keeps in a directory.
pub(crate) fn addresses(leases: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(leases).into_iter().flatten().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("10."));
    files.map(|file| file.path()).collect()
}

/// That the addresses of all pods are given back.
fn expect_no_address(wrong: &mut Wrong, leases: &Path, case: &str) {
    for address in addresses(leases) {
        wrong.add(case, &format!("{} is not free", address.display()));
        fs::remove_file(address).unwrap();
    }
}

/// `leases` is where a plugin keeps addresses on the disk.
fn check(lab: &Lab, leases: &Path) {
    let mut cri = Cri::start(&lab.host);
    let config = asked(lab);
    let id = begin(&cri, &config);
    cri.kill();
    let wreck = Wreck::of(lab);
    let mut wrong = Wrong::default();
    for (file, damage) in wreck.cases() {
        let of = |what: &str| format!("{damage:?} {}: {what}", file.display());
        cri.kill();
        wreck.lay(file, damage);
        cri.restart();
        if let Err(error) = made_anew(&cri, &config) {
            wrong.add(&of("made anew"), &error.to_string());
        }
        wrong.nothing_but(&of("made anew"), lab, Some(&cri));
        expect_no_address(&mut wrong, leases, &of("made anew"));
        if !matches!(damage, Damage::Empty | Damage::Missing) {
            continue;
        }
        cri.kill();
        wreck.lay(file, damage);
        cri.restart();
        if let Err(error) = removed(&cri, &id) {
            wrong.add(&of("removed"), &error.to_string());
        }
        wrong.nothing_but(&of("removed"), lab, Some(&cri));
        expect_no_address(&mut wrong, leases, &of("removed"));
    }
    cri.kill();
    wrong.expect_none(wreck.cases().len());
}

#[test]
fn a_sandbox_of_a_built_in_network_is_made_anew_whatever_is_left_of_it() {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    check(&lab, &lab.host.base().join("none"));
}

#[test]
fn a_sandbox_of_plugins_is_made_anew_whatever_is_left_of_it() {
    let lab = Lab::new();
    let data = lab.host.base().join("host-local");
    lab.host
        .write("cni/50-lan.conflist", crate::cri_soak::of_plugins(&data));
    check(&lab, &data.join("lan"));
}
