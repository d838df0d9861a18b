//! Commands that share a pod, and callers that a pod outlives.

use std::process::Command;
use std::time::Duration;

use harness::{Running, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

#[test]
fn one_session_that_ends_does_not_disturb_another() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let session = || {
        let mut session: Running = host
            .fairing(["exec", "--interactive", &pod, "--", "/bin/cat"])
            .stdin_open()
            .spawn();
        session.write("hello\n");
        session.wait_stdout("hello\n");
        session
    };
    let mut stays = session();
    // One ends by its input, one is killed.
    let mut ends = session();
    ends.close_stdin();
    ends.wait().ok();
    stays.write("one has ended\n");
    stays.wait_stdout("one has ended\n");
    session().kill();
    wait_until("the killed one's command", Duration::from_secs(10), || {
        (host.processes_named("cat").len() == 1).then_some(())
    });
    stays.write("one was killed\n");
    stays.wait_stdout("one was killed\n");
    stays.close_stdin();
    stays.wait().ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_pod_in_the_background_keeps_none_of_the_callers_descriptors() {
    let host = busybox();
    let lock = host.write("lock", "");
    // `flock` hands the descriptor that holds the lock on to the command, and then ends.
    let output = host
        .fairing(["run", "--detach", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .through("flock", [&lock])
        .run()
        .ok();
    let free = Command::new("flock")
        .arg("--nonblock")
        .arg(&lock)
        .arg("true")
        .status();
    assert!(free.unwrap().success(), "the pod holds the caller's lock");
    assert_eq!(status(&host, output.text())["state"], "running");
    host.fairing(["stop", "--force", output.text()]).run().ok();
}
