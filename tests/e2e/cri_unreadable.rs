//! Sandboxes whose manifests can't be read, over the CRI: they are there all the same.

use std::fs;
use std::path::PathBuf;

use cri_shim::api::{ListPodSandboxRequest, PodSandboxState};
use harness::{Cri, Host};
use tonic::Code;

use crate::cri_sandbox::{config, host, remove, run, status, stop};

const READY: i32 = PodSandboxState::SandboxReady as i32;
const NOT_READY: i32 = PodSandboxState::SandboxNotready as i32;

/// The only pod's manifest.
fn manifest(host: &Host) -> PathBuf {
    let uuid = host.pod_uuids().into_iter().next().unwrap();
    host.data_dir().join("pods/run").join(uuid).join("pod.json")
}

/// The states of all sandboxes.
fn states(cri: &Cri) -> Vec<(String, i32)> {
    let listed = cri.call(
        cri.runtime()
            .list_pod_sandbox(ListPodSandboxRequest { filter: None }),
    );
    let items = listed.unwrap().items.into_iter();
    items.map(|one| (one.id, one.state)).collect()
}

#[test]
fn one_that_is_damaged_is_not_ready_and_not_gone() {
    let host = host();
    let mut cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    assert_eq!(states(&cri), [(id.clone(), READY)]);
    let path = manifest(&host);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    for _ in 0..3 {
        assert_eq!(states(&cri), [(id.clone(), NOT_READY)]);
    }
    let told = cri.journal();
    let lines = told.lines().filter(|line| line.contains("is damaged"));
    assert_eq!(lines.count(), 1, "{told}");
    for error in [
        status(&cri, &id).unwrap_err(),
        stop(&cri, &id).unwrap_err(),
        remove(&cri, &id).unwrap_err(),
    ] {
        assert_ne!(error.code(), Code::NotFound, "{error}");
        for part in [&*id, "is damaged", "fairing rm --force"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
    assert_eq!(host.pod_uuids().len(), 1);
    // A shim that has never seen it whole can't say whose it is; others it can.
    cri.restart();
    assert_eq!(states(&cri), []);
    stop(&cri, &id).unwrap_err();
    let other = run(&cri, &config("other")).unwrap();
    assert_eq!(states(&cri), [(other.clone(), READY)]);
    remove(&cri, &other).unwrap();
    fs::write(&path, &whole).unwrap();
    assert_eq!(states(&cri), [(id.clone(), READY)]);
    remove(&cri, &id).unwrap();
    assert_eq!(states(&cri), []);
}

#[test]
fn one_whose_request_is_another_releases_is_not_gone_either() {
    let host = host();
    let cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    assert_eq!(states(&cri), [(id.clone(), READY)]);
    let path = manifest(&host);
    let whole = fs::read_to_string(&path).unwrap();
    let of_later = whole
        .replace("runtime-handler", "handler-of-runtime")
        .replace(r#"\"config\":"#, r#"\"configuration\":"#);
    assert_ne!(whole, of_later);
    fs::write(&path, of_later).unwrap();
    assert_eq!(states(&cri), [(id.clone(), NOT_READY)]);
    let error = stop(&cri, &id).unwrap_err();
    assert!(
        error.message().contains("the request for the sandbox"),
        "{error}"
    );
    fs::write(&path, &whole).unwrap();
    remove(&cri, &id).unwrap();
}

#[test]
fn nothing_is_gone_because_the_shim_is_short_of_descriptors() {
    let host = host();
    let cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    assert_eq!(states(&cri), [(id.clone(), READY)]);
    // It can open no more than it has open.
    let limit = |limit: &str| {
        let limited = std::process::Command::new("prlimit")
            .arg(format!("--pid={}", cri.pid()))
            .arg(format!("--nofile={limit}"))
            .status();
        assert!(limited.unwrap().success());
    };
    // Its manifest is another file: it has to be read.
    let path = manifest(&host);
    let copy = path.with_extension("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", cri.pid()))
        .unwrap()
        .count();
    for most in open.saturating_sub(2)..open + 4 {
        limit(&format!("{most}:"));
        let listed = cri.call(
            cri.runtime()
                .list_pod_sandbox(ListPodSandboxRequest { filter: None }),
        );
        if let Ok(listed) = listed {
            let states: Vec<_> = listed
                .items
                .iter()
                .map(|one| (&*one.id, one.state))
                .collect();
            assert_eq!(states, [(&*id, READY)], "with {most}");
        }
        if let Err(error) = status(&cri, &id) {
            assert_ne!(error.code(), Code::NotFound, "{error}");
        }
    }
    // Who succeeds has done it.
    let stopped = (open.saturating_sub(2)..open + 64).any(|most| {
        limit(&format!("{most}:"));
        stop(&cri, &id).is_ok()
    });
    assert!(stopped);
    limit("4096:");
    assert_eq!(states(&cri), [(id.clone(), NOT_READY)]);
    remove(&cri, &id).unwrap();
    assert_eq!(states(&cri), []);
}
