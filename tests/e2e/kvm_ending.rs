//! How pods in virtual machines end, in whatever way.

use std::time::Duration;

use harness::{Host, Signal, wait_until};
use rustix::process::{Pid, kill_process};

use crate::kvm::{detached, run, shell};
use crate::stocked::{IMAGE, busybox, status, wait_log};

/// Its machine's process.
fn machine(host: &Host, pod: &str) -> Pid {
    let pid = &status(host, pod)["init-pid"];
    Pid::from_raw(i32::try_from(pid.as_i64().unwrap()).unwrap()).unwrap()
}

#[track_caller]
fn wait_exited(host: &Host, pod: &str) -> serde_json::Value {
    wait_until("the pod has ended", Duration::from_secs(30), || {
        let status = status(host, pod);
        (status["state"] == "exited").then_some(status)
    })
}

#[test]
fn an_app_is_asked_to_end_and_its_code_is_the_pods() {
    let host = busybox();
    let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done";
    let uuid = detached(&host, &["--detach", "--name=box"], script);
    wait_log(&host, &uuid, "up");
    host.fairing(["stop", "box"]).run().ok();
    let status = wait_exited(&host, "box");
    assert_eq!(status["exit-code"], 3);
    host.fairing(["logs", "box"])
        .run()
        .ok()
        .expect_stdout("bye");
}

#[test]
fn an_interrupt_while_the_machine_starts_ends_it() {
    let host = busybox();
    let running = shell(&host, &["--rm"], "sleep 1000").spawn();
    wait_until("the machine is there", Duration::from_secs(30), || {
        let all = host.processes();
        all.iter()
            .any(|one| one.name.starts_with("qemu"))
            .then_some(())
    });
    running.signal(Signal::TERM);
    let output = running.wait_for(Duration::from_secs(60));
    assert_ne!(output.code, Some(0), "{output}");
}

#[test]
fn an_app_that_takes_too_much_memory_is_told_apart_from_one_that_was_killed() {
    let host = busybox();
    let memory = shell(&host, &["--rm"], "exec tail /dev/zero");
    let memory = memory.run();
    // Its own limit is one of apps: the machine has more.
    assert_ne!(memory.code, Some(0));
    let limited = run(&host, &["--rm"])
        .args(["--memory=32m", IMAGE, "--", "/bin/tail", "/dev/zero"])
        .run();
    limited
        .expect_code(137)
        .expect_stderr("out of memory (limit 32 MiB)");
    let killed = shell(&host, &["--rm"], "kill -9 $$").run();
    let killed = killed.expect_code(137);
    assert!(!killed.stderr.contains("memory"), "{killed}");
}

#[test]
fn a_program_that_is_not_in_the_image_is_named() {
    let host = busybox();
    let output = run(&host, &["--rm"]).args([IMAGE, "--", "/no/such"]).run();
    output.expect_error(127, &["cannot execute `/no/such` in app busybox"]);
}

#[test]
fn a_machine_that_is_killed_is_recorded_as_that() {
    let host = busybox();
    let uuid = detached(&host, &["--detach", "--name=box"], "echo up; sleep 1000");
    wait_log(&host, &uuid, "up");
    kill_process(machine(&host, "box"), Signal::KILL).unwrap();
    let status = wait_exited(&host, "box");
    assert_eq!(status["exit-code"], 137);
    let failure = status["failure"].as_str().unwrap();
    let said = "the virtual machine was killed: QEMU, which runs it, got the signal SIGKILL";
    assert_eq!(failure, said);
}

#[test]
fn a_machine_that_is_switched_off_from_inside_is_recorded_as_that() {
    let host = busybox();
    let flags = ["--detach", "--name=box", "--privileged"];
    let uuid = detached(
        &host,
        &flags,
        "echo up; sleep 1; echo o > /proc/sysrq-trigger; sleep 100",
    );
    wait_log(&host, &uuid, "up");
    let status = wait_exited(&host, "box");
    assert_eq!(status["exit-code"], 137, "{status}");
    let failure = status["failure"].as_str().unwrap();
    let said = "the virtual machine was switched off or reset from inside";
    assert_eq!(failure, said);
}

#[test]
fn a_kernel_that_panics_is_quoted() {
    let host = busybox();
    let flags = [
        "--detach",
        "--name=box",
        "--insecure-options=paths,capabilities,seccomp",
    ];
    let uuid = detached(
        &host,
        &flags,
        "echo up; sleep 1; echo c > /proc/sysrq-trigger",
    );
    wait_log(&host, &uuid, "up");
    let failure = wait_exited(&host, "box")["failure"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(failure.contains("Kernel panic"), "{failure}");
}

#[test]
fn nothing_is_left_of_a_machine_whose_monitor_is_killed() {
    let host = busybox();
    let uuid = detached(&host, &["--detach", "--name=box"], "echo up; sleep 1000");
    wait_log(&host, &uuid, "up");
    let monitor = status(&host, "box")["monitor-pid"].as_i64().unwrap();
    let monitor = Pid::from_raw(i32::try_from(monitor).unwrap()).unwrap();
    kill_process(monitor, Signal::KILL).unwrap();
    wait_until("the machine is gone", Duration::from_secs(10), || {
        host.pod_processes(&uuid).is_empty().then_some(())
    });
    host.collect();
    host.expect_clean();
}
