//! Many pods at once, and pods that are killed.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use cni_glue::Netns;
use cni_glue::runtime::Asked;

use crate::lab::{Lab, Pod, files};

/// Starts pods in as many threads as there are `groups`, all of which are on the same host.
fn start(lab: &Lab, groups: usize, each: usize) -> Vec<Pod> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..groups)
            .map(|group| {
                scope.spawn(move || {
                    (0..each)
                        .map(|n| {
                            let number = group * each + n;
                            let port = format!("{}:80", 20_000 + number);
                            let ports = [port.as_str()];
                            let ports = if number.is_multiple_of(4) {
                                &ports[..]
                            } else {
                                &[]
                            };
                            lab.pod(&format!("pod-{number}"), &[], ports)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn two_hundred_pods_at_once_have_addresses_of_their_own() {
    let lab = Lab::new();
    let pods = start(&lab, 20, 10);
    let addresses: BTreeSet<_> = pods
        .iter()
        .flat_map(|pod| pod.attached.status.addresses())
        .collect();
    assert_eq!(addresses.len(), 400);
    // Half of them end, the other half are killed: nothing comes to take them out.
    let (ended, killed): (Vec<_>, Vec<_>) =
        pods.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
    std::thread::scope(|scope| {
        for (_, pod) in ended {
            let lab = &lab;
            scope.spawn(move || lab.end(pod));
        }
    });
    let results = lab.attacher.runtime.state.join("results");
    assert_eq!(files(&results).len(), 100);
    drop(killed);
    let report = lab.gc(&[]);
    assert_eq!(report.attachments, 100);
    lab.wait_for_nothing();
    assert_eq!(lab.gc(&[]), Default::default());
}

/// Calls the program, and kills it after a while if that is asked for.
fn call(lab: &Lab, command: &str, container: &str, netns: &Netns, killed_after: Option<Duration>) {
    let port = 20_000 + container.len();
    let config = serde_json::json!({
        "cniVersion": "1.1.0", "name": "n", "type": "fairing-cni", "bridge": "fairing7",
        "stateDir": lab.attacher.runtime.state,
        "runtimeConfig": {"portMappings": [{"hostPort": port, "containerPort": 80}]},
        "cni.dev/valid-attachments": [],
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairing-cni"))
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", container)
        .env("CNI_IFNAME", "eth0")
        .env(
            "CNI_NETNS",
            format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                netns.as_fd().as_raw_fd()
            ),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(config.to_string().as_bytes())
        .unwrap();
    match killed_after {
        Some(moment) => {
            // It is to be any moment, not that of an event.
            std::thread::sleep(moment);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        None => {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{command}: {said}");
        }
    }
}

#[test]
fn whatever_moment_a_start_is_killed_at_gc_clears_all() {
    let lab = Lab::new();
    let pod = lab.pod("ours", &[], &[]);
    let mut namespaces = Vec::new();
    for n in 1..=100u32 {
        let netns = Netns::with_loopback().unwrap();
        // Each has a name of its own length, and so a port of its own.
        let container = "x".repeat(n as usize);
        call(
            &lab,
            "ADD",
            &container,
            &netns,
            Some(Duration::from_micros(u64::from(n) * 100)),
        );
        namespaces.push(netns);
    }
    // Another runtime's containers are not ours to clear, and the other way round.
    lab.gc(&[&pod]);
    call(&lab, "GC", "none", &namespaces[0], None);
    let state = &lab.attacher.runtime.state;
    for folder in ["foreign", "ports", "networks/n/leases"] {
        assert_eq!(files(&state.join(folder)), Vec::<String>::new());
    }
    assert!(!state.join("networks/n/network.json").exists());
    lab.attacher
        .check(
            &pod.id,
            &mut Netns::open(&path(&pod.netns)).unwrap(),
            Asked::Everyone,
        )
        .unwrap();
    drop(namespaces);
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

fn path(netns: &Netns) -> std::path::PathBuf {
    format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        netns.as_fd().as_raw_fd()
    )
    .into()
}
