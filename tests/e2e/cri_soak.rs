//! A shim, monitors and pod inits that are killed at any moment while kubelets go on: in the end nothing is left, and at no
//! time is anything told to run that doesn't.
//!
//! `make soak` kills the shim a thousand times, other runs a tenth of that.

mod kubelet;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use harness::{Cri, Host, Process, eventually, wait_until};

use self::kubelet::{Kubelet, READY};
use crate::cri_containers::RUNNING;
use crate::dice::Dice;
use crate::network_lab::Lab;

/// Kills of the shim, without the variable that says so.
const USUAL: usize = 100;
/// Kubelets that work at once.
const KUBELETS: u64 = 4;
/// How long at most after its start the shim is killed, in milliseconds: in the midst of its first answers, or of work.
const LATEST: [u64; 3] = [15, 120, 400];
/// How long things may take to be gone.
const SOON: Duration = Duration::from_secs(30);

fn kills() -> usize {
    let said = std::env::var("FAIRING_SOAK_KILLS");
    said.map_or(USUAL, |text| text.parse().unwrap())
}

/// Monitors, or pod inits, of a host.
fn processes(host: &Host, name: &str) -> Vec<Process> {
    host.processes_named(name)
}

/// Kills the shim at any moments, and now and then something of a pod.
fn kill_at_random(cri: &Cri, host: &Host, dice: &mut Dice, kills: usize) {
    for number in 0..kills {
        let latest = LATEST[dice.below(LATEST.len() as u64) as usize];
        // Any moment is right.
        sleep(Duration::from_micros(dice.below(latest * 1000)));
        match number % 8 {
            3 => kill_one(host, dice, "stage1-nspawn"),
            7 => kill_one(host, dice, "pod-init"),
            _ => {}
        }
        cri.crash();
    }
}

fn kill_one(host: &Host, dice: &mut Dice, name: &str) {
    let all = processes(host, name);
    if !all.is_empty() {
        all[dice.below(all.len() as u64) as usize].kill();
    }
}

/// Kubelets live their lives on a host whose sandboxes join this network, while things are killed.
fn soak(lab: &Lab, leases: Option<&Path>) {
    let mut dice = Dice::new();
    // Shown where the test fails.
    let _ = writeln!(std::io::stderr(), "seed {}", dice.0);
    let logs = lab.host.base().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let cri = Cri::activated(&lab.host);
    // The first pods, some of which have ports, make what stays of the network.
    let mut first = Kubelet::new(&cri, &logs, 0, dice.below(u64::MAX));
    (0..8).for_each(|_| first.life());
    // The kernel takes links away some time after their namespace.
    let is_of_pod = |line: &str| {
        line.starts_with("veth") || (line.starts_with("fairing") && line != "fairing0")
    };
    wait_until("the links of the first pods are gone", SOON, || {
        let has_some = traces(lab, leases).lines().any(is_of_pod);
        (!has_some).then_some(())
    });
    let before = traces(lab, leases);
    let is_over = AtomicBool::new(false);
    let told = scope(|scope| {
        let kubelets: Vec<_> = (1..=KUBELETS)
            .map(|number| {
                let mut kubelet = Kubelet::new(&cri, &logs, number, dice.below(u64::MAX));
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        kubelet.life();
                    }
                    kubelet.stay();
                    kubelet.told
                })
            })
            .collect();
        kill_at_random(&cri, &lab.host, &mut dice, kills());
        is_over.store(true, Ordering::Relaxed);
        let mut told = BTreeMap::new();
        for kubelet in kubelets {
            for (what, count) in kubelet.join().unwrap() {
                *told.entry(what).or_insert(0) += count;
            }
        }
        told
    });
    let _ = writeln!(std::io::stderr(), "{told:#?}");
    let kubelet = Kubelet::new(&cri, &logs, KUBELETS + 1, 1);
    what_is_told_to_run_runs(&kubelet, &lab.host);
    kubelet.remove_all();
    // Those that nobody has waited for may come up still.
    wait_until("the last pod is gone", SOON, || {
        kubelet.remove_all();
        processes(&lab.host, "stage1-nspawn")
            .is_empty()
            .then_some(())
    });
    kubelet.remove_all();
    cri.kill();
    nothing_runs(&lab.host);
    let mut now = String::new();
    eventually(SOON, || {
        now = traces(lab, leases);
        (now == before).then_some(())
    });
    assert_eq!(now, before);
    lab.host.expect_clean();
    let names = lab.host.leftovers().names;
    assert!(names.is_empty(), "{names:?}");
}

fn traces(lab: &Lab, leases: Option<&Path>) -> String {
    let mut traces = lab.traces();
    for entry in leases
        .into_iter()
        .flat_map(|path| std::fs::read_dir(path).unwrap())
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // It remembers which one it gave last, and locks.
        if !name.starts_with("last_reserved_ip") && name != "lock" {
            traces.push_str(&format!("lease {name}\n"));
        }
    }
    traces
}

/// Half of the sandboxes lose their monitors; what is said to run after that can be asked for something.
fn what_is_told_to_run_runs(kubelet: &Kubelet<'_>, host: &Host) {
    let monitors = processes(host, "stage1-nspawn");
    let (lost, kept) = monitors.split_at(monitors.len() / 2);
    lost.iter().for_each(Process::kill);
    wait_until("the killed monitors are gone", SOON, || {
        lost.iter().all(|monitor| !monitor.is_alive()).then_some(())
    });
    let ready = kubelet.sandboxes().into_iter();
    let ready = ready.filter(|sandbox| sandbox.state == READY).count();
    assert_eq!(ready, kept.len());
    let running = kubelet.containers().into_iter();
    for container in running.filter(|container| container.state == RUNNING) {
        kubelet.exec(&container.id).unwrap();
    }
}

/// No process, mount, namespace, cgroup or runtime directory is left, without any collection of garbage.
fn nothing_runs(host: &Host) {
    let mut found = host.leftovers();
    eventually(SOON, || {
        found = host.leftovers();
        found.pod_folders.retain(|path| !path.starts_with("run/"));
        let running = [
            found.processes.len(),
            found.host_mounts.len(),
            found.other_mounts.len(),
            found.cgroups.len(),
            found.network_namespaces.len(),
            found.run_folders.len(),
        ];
        running.iter().all(|count| *count == 0).then_some(())
    })
    .unwrap_or_else(|| panic!("left of pods:\n{found}"));
}

#[test]
fn kills_at_any_moment_leave_nothing_in_a_built_in_network() {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    soak(&lab, None);
}

#[test]
fn kills_at_any_moment_leave_nothing_in_a_network_of_plugins() {
    let lab = Lab::new();
    let data = lab.host.base().join("host-local");
    lab.host.write("cni/50-lan.conflist", of_plugins(&data));
    soak(&lab, Some(&data.join("lan")));
}

/// A network as a distribution of Kubernetes configures it; addresses are kept below `data`.
pub(crate) fn of_plugins(data: &Path) -> String {
    format!(
        r#"{{"cniVersion": "1.0.0", "name": "lan", "plugins": [
        {{"type": "bridge", "bridge": "lan0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
          "ipam": {{"type": "host-local", "dataDir": "{}", "subnet": "10.95.0.0/24",
                   "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
        {{"type": "portmap", "capabilities": {{"portMappings": true}}, "snat": true}}]}}"#,
        data.display()
    )
}
