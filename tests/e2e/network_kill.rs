//! What is left of networks when pods are killed, and when many start at once.

use std::collections::BTreeSet;

use harness::Signal;

use crate::network_lab::Lab;
use crate::stocked::IMAGE;

/// Pods that are started and killed.
const KILLED: usize = 200;
/// Of these at a time.
const AT_ONCE: usize = 20;
/// Pods that run at once.
const TOGETHER: usize = 200;

#[test]
fn of_pods_that_were_killed_at_any_moment_gc_leaves_nothing() {
    let lab = Lab::new();
    let before = lab.traces();
    let mut batch = Vec::new();
    for n in 0..KILLED {
        let port = format!("{}:80", 10_000 + n);
        let run = lab.host.fairing(["run", "--port", &port, IMAGE]);
        let running = run.args(["--exec", "/bin/sleep", "--", "1000"]).spawn();
        batch.push(running);
        if batch.len() == AT_ONCE {
            // They were started one after the other, so each is somewhere else.
            for running in batch.drain(..) {
                running.signal(Signal::KILL);
                running.wait();
            }
        }
    }
    lab.host.kill_all();
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn pods_that_start_at_once_have_an_address_each() {
    let lab = Lab::new();
    let before = lab.traces();
    let pods: Vec<_> = (0..TOGETHER)
        .map(|_| {
            let run = lab.host.fairing(["run", "--detach", IMAGE]);
            run.args(["--exec", "/bin/sleep", "--", "1000"]).spawn()
        })
        .collect();
    let uuids: Vec<String> = pods
        .into_iter()
        .map(|pod| pod.wait().ok().text().to_owned())
        .collect();
    let listed = lab
        .host
        .fairing(["list", "--format=json"])
        .run()
        .ok()
        .json();
    let addresses: BTreeSet<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|pod| pod["networks"][0]["addresses"].as_array().unwrap())
        .map(|address| address["address"].as_str().unwrap().to_owned())
        .collect();
    // One of each family.
    assert_eq!(addresses.len(), 2 * TOGETHER);
    for uuids in uuids.chunks(25) {
        lab.stop(&uuids.iter().map(String::as_str).collect::<Vec<_>>());
    }
    lab.host.collect();
    lab.expect_traces(&before);
}
