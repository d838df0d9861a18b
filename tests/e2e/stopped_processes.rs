//! Processes of a pod that are stopped (SIGSTOP): by an app, whatever appears beside it, or the monitor from outside.
//! Nobody waits forever.

use std::time::Duration;

use harness::{ControlClient, Host, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

const LIMIT: Duration = Duration::from_secs(20);

/// Stops every other process of the pod, without a process of its own.
const STOPPER: &str = "echo up; while :; do pid=2; while [ $pid -lt 40 ]; do \
    [ $pid = $$ ] || kill -STOP $pid; pid=$((pid + 1)); done; done 2> /dev/null";

#[test]
fn a_start_beside_an_app_that_stops_processes_ends() {
    let host = busybox();
    let output = host
        .fairing(["run", "--detach", "--name", "pod", IMAGE])
        .args(["--app-name", "stopper", "--", "/bin/sh", "-c", STOPPER])
        .args(["---", IMAGE, "--app-name", "other", "--"])
        .args(["/bin/sh", "-c", IDLE])
        .limit(LIMIT)
        .run();
    // Who is quicker is open; that it ends is not.
    if output.code == Some(0) {
        host.fairing(["stop", "--force", "pod"])
            .limit(LIMIT)
            .run()
            .ok();
    } else {
        output.expect_error(125, &["other"]);
    }
    // The monitor reports the failure as the last thing it does.
    wait_until("no process", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
}

#[test]
fn a_command_that_is_stopped_while_it_starts_holds_nothing_up() {
    let host = busybox();
    let pod = detached(&host, &[], STOPPER);
    wait_log(&host, &pod, "up");
    let sessions = [(); 5].map(|()| {
        host.fairing(["enter", &pod, "--", "/bin/true"])
            .limit(LIMIT)
            .spawn()
    });
    let live = host
        .fairing(["status", "--format", "json", &pod])
        .limit(LIMIT)
        .run()
        .ok();
    assert_eq!(live.json()["state"], "running");
    host.fairing(["stop", "--force", &pod])
        .limit(LIMIT)
        .run()
        .ok();
    // A command that was stopped ends with the pod; one that was quicker has ended before.
    for session in sessions {
        session.wait();
    }
    wait_until("no process", Duration::from_secs(10), || {
        host.processes().is_empty().then_some(())
    });
    assert_eq!(status(&host, &pod)["state"], "exited");
}

/// More connections than a monitor that is stopped has room for.
const WAITING: usize = 65;
/// More connections than one that runs has room for.
const OPEN: usize = 64 + WAITING;

fn stop_monitor(host: &Host, pod: &str) {
    let pid = status(host, pod)["monitor-pid"].as_i64().unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
}

#[test]
fn a_pod_whose_monitor_is_stopped_can_be_stopped() {
    let host = busybox();
    let pod = detached(&host, &["--name", "held"], IDLE);
    stop_monitor(&host, &pod);
    // As after Ctrl-Z, nobody lets it go on.
    host.fairing(["stop", "--grace-period=100ms", "held"])
        .limit(Duration::from_secs(8))
        .run()
        .ok();
    assert_eq!(status(&host, "held")["state"], "exited");
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[test]
fn a_pod_whose_monitor_is_stopped_while_it_is_stopped_ends() {
    let host = busybox();
    let deaf = "trap 'echo told' TERM; echo up; while :; do sleep 1; done";
    let pod = detached(&host, &["--name", "held"], deaf);
    wait_log(&host, &pod, "up");
    let stop = host
        .fairing(["stop", "--grace-period=3s", "held"])
        .limit(LIMIT)
        .spawn();
    wait_log(&host, &pod, "told");
    stop_monitor(&host, &pod);
    stop.wait().ok();
    assert_eq!(status(&host, "held")["state"], "exited");
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[test]
fn who_asks_a_monitor_that_is_stopped_is_told_so_within_a_moment() {
    let host = busybox();
    let pod = detached(&host, &["--name", "held", "--net=none"], IDLE);
    stop_monitor(&host, &pod);
    let limit = Duration::from_secs(6);
    let run = |words: &[&str]| host.fairing(words).limit(limit).run();
    for words in [["status", "held"], ["inspect", "held"]] {
        let output = run(&words).ok();
        assert!(output.stderr.contains("monitor is stopped"), "{output}");
        assert!(output.stdout.contains("running"), "{output}");
    }
    for words in [
        &["top", "held"][..],
        &["enter", "held", "--", "/bin/true"],
        &["attach", "held"],
        &["kill", "--signal=HUP", "held"],
        &["pause", "held"],
        &["update", "held", "--memory=64m"],
        &["rename", "held", "other"],
    ] {
        let parts = ["monitor is stopped", "kill -CONT", "`fairing stop` ends"];
        run(words).expect_error(125, &parts);
    }
    let stats = run(&["stats", "--no-stream", "held"]);
    assert_eq!(stats.stdout, "");
    stats.expect_error(125, &["pod held: ", "did not answer"]);
    run(&["stop", "--force", "held"]).ok();
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[test]
fn a_monitor_that_takes_no_connection_is_told_of_and_can_be_killed() {
    let host = busybox();
    let pod = detached(&host, &["--name", "full"], IDLE);
    stop_monitor(&host, &pod);
    for _ in 0..WAITING {
        drop(ControlClient::connect(&host, &pod));
    }
    let run = |words: &[&str]| host.fairing(words).limit(LIMIT).spawn();
    let told = [["app", "list", "full"].as_slice(), &["status", "full"]].map(run);
    let stop = run(&["stop", "full"]);
    let enter = run(&["enter", "full", "--", "/bin/true"]);
    for command in told {
        let output = command.wait().ok();
        assert!(output.stderr.contains("took no connection"), "{output}");
    }
    for command in [stop, enter] {
        let parts = ["took no connection", "fairing stop --force"];
        command.wait().expect_error(125, &parts);
    }
    // Nobody waits for a place who has other means.
    host.fairing(["stop", "--force", "full"])
        .limit(Duration::from_secs(5))
        .run()
        .ok();
    assert_eq!(status(&host, "full")["state"], "exited");
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[test]
fn a_monitor_with_more_connections_than_it_takes_can_be_removed_with_its_pod() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let _open: Vec<_> = (0..OPEN)
        .map(|_| ControlClient::connect(&host, &pod))
        .collect();
    host.fairing(["rm", "--force", &pod])
        .limit(LIMIT)
        .run()
        .ok();
    assert_eq!(host.pod_folders(), []);
    assert!(host.processes().is_empty(), "{:?}", host.processes());
}

#[test]
fn a_command_in_a_pod_whose_init_is_stopped_says_so_at_once_and_what_helps() {
    let host = busybox();
    let pod = detached(&host, &["--name", "held"], IDLE);
    let init = status(&host, &pod)["init-pid"].as_i64().unwrap();
    let init = Pid::from_raw(i32::try_from(init).unwrap()).unwrap();
    kill_process(init, Signal::STOP).unwrap();
    let cure = format!("kill -CONT {}", init.as_raw_nonzero());
    let command = host.fairing(["exec", "held", "--", "/bin/true"]);
    let output = command.limit(Duration::from_secs(10)).run();
    output.expect_error(125, &["pod init is stopped", &cure, "fairing stop --force"]);
    kill_process(init, Signal::CONT).unwrap();
    host.fairing(["exec", "held", "--", "/bin/true"]).run().ok();
    host.fairing(["stop", "--force", "held"]).run().ok();
}
