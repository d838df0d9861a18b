//! The name of a pod that was killed does not keep the next one of that name from starting.

use harness::{Host, Process};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

/// Starts a pod called `web`, which runs until its monitor is killed.
#[track_caller]
fn killed(host: &Host, flags: &[&str]) -> String {
    let flags: Vec<&str> = ["--name", "web"].iter().chain(flags).copied().collect();
    let pod = detached(host, &flags, IDLE);
    kill_monitor(host, &pod);
    pod
}

/// Kills a pod's monitor, and waits until it is gone.
#[track_caller]
fn kill_monitor(host: &Host, pod: &str) {
    let monitor = status(host, pod)["monitor-pid"].as_i64().unwrap();
    let monitor = Process::read(u32::try_from(monitor).unwrap()).unwrap();
    monitor.kill();
    host.fairing(["status", "--wait", pod]).run();
}

#[test]
fn a_killed_pod_that_was_to_be_removed_makes_way() {
    let host = busybox();
    let old = killed(&host, &["--rm"]);
    let new = detached(&host, &["--name", "web", "--rm"], IDLE);
    assert_eq!(status(&host, "web")["uuid"], new.as_str());
    host.fairing(["status", &old]).run().expect_error(121, &[]);
    host.fairing(["stop", "web"]).run().ok();
}

#[test]
fn a_killed_pod_keeps_its_files_and_loses_its_name() {
    let host = busybox();
    let old = killed(&host, &[]);
    let output = host
        .fairing(["run", "--name", "web", IMAGE, "--exec", "/bin/true"])
        .run()
        .ok();
    assert!(output.stderr.contains(&old), "{output}");
    assert!(output.stderr.contains("was killed"), "{output}");
    let new = status(&host, "web");
    assert_ne!(new["uuid"], old.as_str());
    let old = status(&host, &old);
    assert!(old["name"].is_null(), "{old}");
    assert_eq!(old["state"], "exited");
}

#[test]
fn a_pod_that_a_loss_of_power_left_without_its_manifest_makes_way() {
    let host = busybox();
    let old = killed(&host, &[]);
    let manifest = host.data_dir().join("pods/run").join(&old).join("pod.json");
    std::fs::write(manifest, "").unwrap();
    let new = detached(&host, &["--name", "web"], IDLE);
    assert_eq!(status(&host, "web")["uuid"], new.as_str());
    host.fairing(["rm", &old]).run().ok();
    host.fairing(["stop", "web"]).run().ok();
}

#[test]
fn who_has_ended_by_himself_or_runs_keeps_the_name() {
    let host = busybox();
    let run = || host.fairing(["run", "--name", "web", IMAGE, "--exec", "/bin/true"]);
    let first = detached(&host, &["--name", "web"], IDLE);
    run().run().expect_error(120, &["web"]);
    host.fairing(["stop", "web"]).run().ok();
    run().run().expect_error(120, &["web"]);
    assert_eq!(status(&host, "web")["uuid"], first.as_str());
}
