//! What lists say of pods that are paused, stuck or killed.

use std::time::Duration;

use harness::{ControlClient, Host, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox, detached, shell, status};

fn listed(host: &Host) -> Value {
    let list = host.fairing(["list", "--format", "json"]).run();
    list.ok().json()
}

fn monitor(host: &Host, pod: &str) -> Pid {
    let pid = status(host, pod)["monitor-pid"].as_i64().unwrap();
    Pid::from_raw(pid.try_into().unwrap()).unwrap()
}

#[test]
fn a_list_tells_what_monitors_know() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let known = status(&host, &pod);
    let shown = &listed(&host)[0];
    assert!(shown["started"].is_string(), "{shown}");
    assert_eq!(shown["started"], known["started"]);
    assert_eq!(shown["apps"][0]["pid"], known["apps"][0]["pid"]);
    let control = ControlClient::connect(&host, &pod);
    for (request, state) in [("pause", "paused"), ("resume", "running")] {
        assert_eq!(control.ask(&json!({"type": request}))["type"], "done");
        assert_eq!(listed(&host)[0]["apps"][0]["state"], state);
        host.fairing(["list"]).run().ok().expect_stdout(state);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_list_does_not_wait_for_a_monitor_that_is_stopped() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let monitor = monitor(&host, &pod);
    kill_process(monitor, Signal::STOP).unwrap();
    let list = host.fairing(["list"]).run().ok();
    assert!(list.elapsed < Duration::from_secs(2), "{list}");
    list.expect_stdout("running");
    kill_process(monitor, Signal::CONT).unwrap();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_pod_whose_monitor_was_killed_is_listed_as_killed_and_collected_by_name() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], IDLE);
    let monitor = monitor(&host, &pod);
    kill_process(monitor, Signal::KILL).unwrap();
    wait_until("the pod's end", Duration::from_secs(10), || {
        (listed(&host)[0]["state"] == "exited").then_some(())
    });
    host.fairing(["list"]).run().ok().expect_stdout("killed");
    let shown = &listed(&host)[0];
    let failure = shown["failure"].as_str().unwrap();
    assert!(failure.contains("monitor was killed"), "{failure}");
    // Nobody knows how it would have ended; not well.
    let code = ["inspect", "--format={{.State.ExitCode}}", "web"];
    assert_eq!(host.fairing(code).run().ok().text(), "125");
    let collected = host.fairing(["gc", "--grace-period=0s"]).run().ok();
    collected.expect_stdout(&format!("pod {pod} (web) removed"));
}

#[test]
fn too_small_a_stack_is_told() {
    let host = busybox();
    let limited = |kib: u32, command: harness::FairingCommand| {
        let script = format!("ulimit -s {kib}; exec \"$@\"");
        command.through("sh", ["-c", &script, "sh"]).run()
    };
    for arguments in [["list"].as_slice(), &["run", "--rm", IMAGE]] {
        limited(64, host.fairing(arguments)).expect_error(125, &["stack", "64 KiB", "256 KiB"]);
    }
    let output = limited(256, shell(&host, "echo hi")).ok();
    assert_eq!(output.stdout, "hi\n");
}
