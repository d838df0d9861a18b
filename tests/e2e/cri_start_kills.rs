//! Pods whose monitors are killed while they start: whoever has started them leaves nothing of them, without a collection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Cri, Process, Signal};
use rustix::process::{Pid, kill_process};

use crate::cri_sandbox::{config, remove, run, stop};
use crate::network_lab::Lab;
use crate::stocked::IMAGE;

const SOON: Duration = Duration::from_secs(60);
/// Sandboxes of which one is killed later than the other.
const SANDBOXES: u64 = 24;
/// So much later.
const STEP: Duration = Duration::from_micros(1500);

fn lab() -> Lab {
    let lab = Lab::new();
    lab.host
        .write("etc/config.toml", "[cri]\nnetwork = \"default\"\n");
    lab
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

fn leases(lab: &Lab) -> PathBuf {
    lab.host.run_dir().join("cni/networks/default/leases")
}

/// The processes that work in a directory.
fn workers(directory: &Path) -> Vec<Pid> {
    let numbers = names(Path::new("/proc"));
    let numbers = numbers.iter().filter_map(|name| name.parse::<i32>().ok());
    let is_there = |number: &i32| {
        fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|place| place == directory)
    };
    numbers.filter(is_there).filter_map(Pid::from_raw).collect()
}

/// Kills the monitor of the only pod that starts, as soon as this is so, unless the pod is over before.
fn kill_when(lab: &Lab, is_over: &AtomicBool, is_due: impl Fn() -> bool) {
    let pods = lab.host.data_dir().join("pods/run");
    let began = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        assert!(began.elapsed() < SOON, "no pod has started");
        for name in names(&pods) {
            let pod = pods.join(name);
            let workers = workers(&pod);
            if !workers.is_empty() && is_due() {
                for worker in workers {
                    let _ = kill_process(worker, Signal::KILL);
                }
                return;
            }
        }
    }
}

/// That nothing is left, but a network that was made.
#[track_caller]
fn expect_nothing(lab: &Lab, before: &str) {
    assert_eq!(names(&leases(lab)), [""; 0]);
    assert_eq!(names(&lab.host.run_dir().join("pods")), [""; 0]);
    assert!(lab.host.pod_folders().is_empty());
    assert!(lab.host.cgroups().is_empty());
    lab.expect_traces(before);
}

/// A network in which no pod is.
fn with_network(cri: &Cri, lab: &Lab) -> String {
    let first = run(cri, &config("first")).unwrap();
    remove(cri, &first).unwrap();
    traces_without_pods(lab)
}

/// What there is once the links of pods have gone, in the kernel's own time.
fn traces_without_pods(lab: &Lab) -> String {
    harness::wait_until("links to go", SOON, || {
        let traces = lab.traces();
        let mut links = traces.lines().take_while(|line| !line.contains(' '));
        let is_left = links.any(|link| link.starts_with("fairing") && link != "fairing0");
        (!is_left).then_some(traces)
    })
}

#[test]
fn a_sandbox_whose_monitor_is_killed_when_it_has_its_address_leaves_nothing() {
    let lab = lab();
    let cri = Cri::start(&lab.host);
    let before = with_network(&cri, &lab);
    for _ in 0..4 {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| kill_when(&lab, &is_over, || !names(&leases(&lab)).is_empty()));
            if let Ok(id) = run(&cri, &crate::cri_power_loss::asked(&lab)) {
                remove(&cri, &id).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        expect_nothing(&lab, &before);
    }
}

#[test]
fn a_sandbox_whose_monitor_is_killed_at_any_moment_of_its_start_leaves_nothing() {
    let lab = lab();
    let cri = Cri::start(&lab.host);
    let before = with_network(&cri, &lab);
    for n in 0..SANDBOXES {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let began = Instant::now();
                kill_when(&lab, &is_over, || {
                    began.elapsed() >= STEP * u32::try_from(n).unwrap()
                });
            });
            // Who is told that it is up ends it.
            if let Ok(id) = run(&cri, &crate::cri_power_loss::asked(&lab)) {
                stop(&cri, &id).unwrap();
                remove(&cri, &id).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        expect_nothing(&lab, &before);
    }
}

#[test]
fn of_a_pod_in_the_background_whose_monitor_is_killed_when_it_has_its_address_nothing_is_left() {
    let lab = lab();
    let flags = ["run", "--detach", "--port", "8080:80", IMAGE];
    let begin = |lab: &Lab| {
        let run = lab.host.fairing(flags);
        run.args(["--exec", "/bin/sleep", "--", "1000"])
    };
    let first = begin(&lab).run().ok().text().to_owned();
    lab.host.fairing(["rm", "--force", &first]).run().ok();
    let before = traces_without_pods(&lab);
    for _ in 0..4 {
        let is_over = AtomicBool::new(false);
        let output = thread::scope(|scope| {
            scope.spawn(|| kill_when(&lab, &is_over, || !names(&leases(&lab)).is_empty()));
            let output = begin(&lab).run();
            is_over.store(true, Ordering::Relaxed);
            output
        });
        // It may have been up a moment before.
        if output.code == Some(0) {
            let uuid = output.ok().text().to_owned();
            lab.host.fairing(["rm", "--force", &uuid]).run().ok();
        }
        expect_nothing(&lab, &before);
    }
}

#[test]
fn a_killed_shim_s_removals_are_finished_by_the_next_one() {
    let lab = lab();
    let mut cri = Cri::start(&lab.host);
    let id = run(&cri, &config("web")).unwrap();
    cri.kill();
    let monitors = lab.host.processes_named("stage1-nspawn");
    monitors.iter().for_each(Process::kill);
    harness::wait_until("the end of the monitor", SOON, || {
        monitors.iter().all(|one| !one.is_alive()).then_some(())
    });
    // As if it had been killed right after it had begun to remove the sandbox.
    let pods = lab.host.data_dir().join("pods");
    fs::create_dir_all(pods.join("garbage")).unwrap();
    let uuid = names(&pods.join("run")).remove(0);
    assert_eq!(uuid.replace('-', ""), id);
    fs::rename(
        pods.join("run").join(&uuid),
        pods.join("garbage").join(&uuid),
    )
    .unwrap();
    assert_eq!(names(&pods.join("names")).len(), 1);
    cri.restart();
    harness::wait_until("the end of the removal", SOON, || {
        let left = [names(&pods.join("garbage")), names(&pods.join("names"))];
        left.iter().all(Vec::is_empty).then_some(())
    });
    assert_eq!(names(&leases(&lab)), [""; 0]);
    assert!(lab.host.cgroups().is_empty());
}
