//! Many pods at once, and pods that are killed.

use std::collections::BTreeSet;

use crate::default::wait_for_nothing;
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
    wait_for_nothing(&lab);
    assert_eq!(lab.gc(&[]), Default::default());
}
