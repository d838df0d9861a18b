//! Pods that are stopped for a while.

use std::time::Duration;

use harness::{Host, wait_until};

use crate::app::sandbox;
use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

fn idle(host: &Host, name: &str) -> String {
    let uuid = detached(
        host,
        &[&format!("--name={name}")],
        &format!("echo up; {IDLE}"),
    );
    wait_log(host, &uuid, "up");
    uuid
}

fn state(host: &Host, pod: &str) -> String {
    let state = status(host, pod)["apps"][0]["state"].clone();
    state.as_str().unwrap().to_owned()
}

#[test]
fn a_pod_is_paused_and_goes_on() {
    let host = busybox();
    let uuid = idle(&host, "box");
    for _ in 0..2 {
        // What is paused stays so.
        let paused = host.fairing(["pause", "box"]).run().ok();
        assert_eq!(paused.stdout, "box\n");
    }
    assert_eq!(state(&host, "box"), "paused");
    let before = used(&host, &uuid);
    host.fairing(["list"]).run().ok().expect_stdout("paused");
    let told = host.fairing(["ps", "--format", "{{.Status}}"]).run().ok();
    assert!(told.text().ends_with("(Paused)"), "{told}");
    host.fairing(["enter", "box", "--", "/bin/true"])
        .run()
        .expect_error(125, &["is paused"]);
    host.fairing(["attach", "box"])
        .run()
        .expect_error(125, &["app busybox is paused", "resume"]);
    assert_eq!(used(&host, &uuid), before);
    for word in ["resume", "unpause"] {
        host.fairing([word, "box"]).run().ok();
    }
    assert_eq!(state(&host, "box"), "running");
    wait_until("it runs on", Duration::from_secs(10), || {
        (used(&host, &uuid) > before).then_some(())
    });
    host.fairing(["stop", "--force", "box"]).run().ok();
    for word in ["pause", "resume"] {
        host.fairing([word, "box"])
            .run()
            .expect_error(125, &["box", "has ended"]);
    }
}

/// Processor time of a pod.
fn used(host: &Host, uuid: &str) -> u64 {
    let folder = crate::cgroup::folder(host, uuid, "cpuacct").join("busybox");
    crate::cgroup::value(&folder, "cpuacct.usage")
        .parse()
        .unwrap()
}

#[test]
fn what_is_paused_can_be_ended_in_every_way() {
    let host = busybox();
    for (name, command) in [
        ("one", &["stop", "one"][..]),
        ("two", &["stop", "--force", "two"]),
        ("three", &["kill", "three"]),
        ("four", &["rm", "--force", "four"]),
    ] {
        idle(&host, name);
        host.fairing(["pause", name]).run().ok();
        host.fairing(command)
            .limit(Duration::from_secs(30))
            .run()
            .ok();
        let left = host.fairing(["ps", "--quiet"]).run().ok();
        assert_eq!(left.stdout, "", "{name}");
    }
    assert!(host.cgroups().is_empty());
}

#[test]
fn all_pods_are_paused_at_once_and_one_app_alone() {
    let host = busybox();
    let script = format!("echo up; {IDLE}");
    let pair = host
        .fairing(["run", "--detach", "--name=pair", IMAGE, "--app-name=a"])
        .args(["--", "/bin/sh", "-c", &script, "---", IMAGE])
        .args(["--app-name=b", "--", "/bin/sh", "-c", &script])
        .run()
        .ok();
    wait_log(&host, pair.text(), "up");
    let states = || {
        let status = status(&host, "pair");
        let apps = status["apps"].as_array().unwrap().clone();
        let states = apps
            .iter()
            .map(|app| app["state"].as_str().unwrap().to_owned());
        states.collect::<Vec<_>>().join(" ")
    };
    host.fairing(["pause", "pair", "--app=b"]).run().ok();
    assert_eq!(states(), "running paused");
    host.fairing(["pause", "--all"]).run().ok();
    assert_eq!(states(), "paused paused");
    host.fairing(["resume", "--all"]).run().ok();
    assert_eq!(states(), "running running");
    host.fairing(["pause", "pair", "--app=c"])
        .run()
        .expect_error(121, &["has no app `c`"]);
    host.fairing(["stop", "--force", "pair"]).run().ok();
}

#[test]
fn no_app_starts_in_a_pod_that_is_paused() {
    let host = busybox();
    idle(&host, "box");
    host.fairing(["pause", "box"]).run().ok();
    let add = |name: &str, flags: &[&str]| {
        let add = host.fairing(["app", "add"]).args(flags);
        add.args(["box", IMAGE, "--app-name", name, "--", "/bin/sh", "-c"])
            .arg(IDLE)
            .run()
    };
    let parts = ["is paused, and no app starts in it", "fairing resume"];
    add("one", &["--start"]).expect_error(125, &parts);
    // One that doesn't run may join.
    add("two", &[]).ok();
    host.fairing(["app", "start", "box", "two"])
        .run()
        .expect_error(125, &parts);
    host.fairing(["resume", "box"]).run().ok();
    host.fairing(["app", "start", "box", "two"]).run().ok();
    host.fairing(["stop", "--force", "box"]).run().ok();
}

#[test]
fn a_pod_in_which_no_app_runs_is_not_paused() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    host.fairing(["pause", &pod])
        .run()
        .expect_error(125, &["no app of the pod runs"]);
    host.fairing(["stop", &pod]).run().ok();
}
