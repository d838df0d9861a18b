//! Starts in the background that are given up: the command that waits for one takes it along.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use harness::{FairingCommand, Running, Signal, wait_until};

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE};

const PATIENCE: Duration = Duration::from_secs(60);

/// A network whose plugin tells that it was called, by a file named after the operation, and does no more than wait for
/// the operations that are given.
fn slow(lab: &Lab, slow: &str) -> PathBuf {
    let calls = lab.host.base().join("calls");
    fs::create_dir(&calls).unwrap();
    let script = format!(
        ": > {}/$CNI_COMMAND; case $CNI_COMMAND in {slow}) exec sleep 1000;; esac",
        calls.display()
    );
    lab.script("slow", &script);
    calls
}

fn await_call(file: &std::path::Path) {
    wait_until("the plugin to begin", PATIENCE, || {
        file.exists().then_some(())
    });
}

fn with_plugins(lab: &Lab, arguments: &[&str]) -> FairingCommand {
    lab.host
        .fairing(arguments)
        .env("CNI_PATH", lab.host.base().join("bin"))
}

const SIGNALS: [(Signal, &str, i32); 3] = [
    (Signal::INT, "SIGINT", 130),
    (Signal::TERM, "SIGTERM", 143),
    (Signal::HUP, "SIGHUP", 129),
];

#[test]
fn a_start_that_hangs_in_a_plugin_ends_with_the_command_that_waits_for_it() {
    let lab = Lab::new();
    let before = lab.traces();
    let calls = slow(&lab, "ADD");
    let uuid = lab.host.base().join("uuid");
    for (signal, name, code) in SIGNALS {
        let flag = format!("--uuid-file-save={}", uuid.display());
        let running = lab
            .run(&["--detach", "--net=slow", "--name=web", &flag])
            .spawn();
        await_call(&calls.join("ADD"));
        running.signal(signal);
        let output = running.wait();
        let output = output.expect_error(code, &[name, "network slow", "plugin slow"]);
        assert_eq!(output.stdout, "");
        // It was undone by the time that the command ended.
        assert!(calls.join("DEL").exists());
        assert!(!uuid.exists());
        assert_eq!(lab.host.processes().len(), 0);
        lab.expect_nothing(&before);
        fs::remove_file(calls.join("ADD")).unwrap();
        fs::remove_file(calls.join("DEL")).unwrap();
    }
}

#[test]
fn a_prepared_pod_that_hangs_in_a_plugin_ends_with_the_command_that_waits_for_it() {
    let lab = Lab::new();
    let before = lab.traces();
    let calls = slow(&lab, "ADD");
    let prepare = with_plugins(
        &lab,
        &["prepare", "--net=slow", IMAGE, "--exec", "/bin/true"],
    );
    let uuid = prepare.run().ok().text().to_owned();
    let running = with_plugins(&lab, &["run-prepared", "--detach", &uuid]).spawn();
    await_call(&calls.join("ADD"));
    running.signal(Signal::INT);
    running
        .wait()
        .expect_error(130, &["SIGINT", "network slow"]);
    // It has not run: it is as it was prepared.
    let status = lab.host.fairing(["status", &uuid]).run().ok();
    assert!(status.text().contains("prepared"), "{status}");
    lab.host.fairing(["rm", &uuid]).run().ok();
    lab.expect_nothing(&before);
}

#[test]
fn a_second_signal_ends_at_once_and_gc_clears_the_rest() {
    let lab = Lab::new();
    let before = lab.traces();
    let calls = slow(&lab, "ADD|DEL");
    let running = lab.run(&["--detach", "--net=slow"]).spawn();
    await_call(&calls.join("ADD"));
    running.signal(Signal::INT);
    await_call(&calls.join("DEL"));
    running.signal(Signal::INT);
    let output = running.wait();
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.stderr.contains("monitor was killed"), "{output}");
    assert!(output.stderr.contains("`fairing gc`"), "{output}");
    assert!(
        output.stderr.ends_with("interrupted by SIGINT\n"),
        "{output}"
    );
    lab.host.kill_all();
    lab.script("slow", "exit 0");
    with_plugins(&lab, &["gc", "--grace-period=0s"]).run().ok();
    lab.expect_nothing(&before);
}

/// A pod that comes up once nobody wants it any more, as `lock` kept it from its network until then.
fn comes_up_late(lab: &Lab, signal: Signal, flags: &[&str]) -> harness::Output {
    let locks = lab.host.run_dir().join("cni/locks");
    fs::create_dir_all(&locks).unwrap();
    let lock = File::create(locks.join("default")).unwrap();
    lock.lock().unwrap();
    // It would go on for ever.
    let script = format!("trap '' INT HUP; trap 'exit 0' TERM; {IDLE}");
    let run = lab.host.fairing(["run", "--detach", "--name=web"]);
    let run = run
        .args(flags)
        .args([IMAGE, "--", "/bin/sh", "-c", &script]);
    let running: Running = run.spawn();
    wait_until("the pod to start", PATIENCE, || {
        let folders = lab.host.pod_folders();
        folders
            .iter()
            .any(|(phase, _)| phase == "run")
            .then_some(())
    });
    running.signal(signal);
    drop(lock);
    running.wait()
}

#[test]
fn a_pod_that_comes_up_nevertheless_is_stopped_and_removed() {
    let lab = Lab::new();
    let before = lab.traces();
    for (signal, name, code) in SIGNALS {
        let output = comes_up_late(&lab, signal, &[]);
        let output = output.expect_error(code, &["interrupted by", name]);
        assert_eq!(output.stdout, "");
        assert!(lab.host.pod_folders().is_empty());
    }
    lab.host.collect();
    lab.expect_nothing(&before);
}

#[test]
fn a_signal_that_the_command_ignores_is_ignored_by_the_start() {
    let lab = Lab::new();
    let calls = slow(&lab, "ADD");
    let nohup = lab
        .run(&["--detach", "--net=slow"])
        .through("sh", ["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    let running = nohup.spawn();
    await_call(&calls.join("ADD"));
    running.signal(Signal::HUP);
    running.signal(Signal::INT);
    running.wait().expect_error(130, &["SIGINT"]);
}
