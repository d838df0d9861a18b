//! An app that stops (SIGSTOP) whatever process appears beside it: nobody waits forever.

use std::time::Duration;

use harness::wait_until;

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
