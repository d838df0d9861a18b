//! Pods that an earlier release has left, in the form that it gave them: prepared, running and exited.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use harness::Host;
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

const OLD: &str = "0d6a1c2e-9a34-4f0b-8b51-64a3f5c8a001";

/// The record of the image in the host's store, which has the same form in both versions.
fn image_record(host: &Host) -> Value {
    let pod = host.fairing(["prepare", IMAGE]).run().ok();
    let manifest = host.fairing(["cat-manifest", pod.text()]).run().ok().json();
    host.fairing(["rm", pod.text()]).run().ok();
    manifest["apps"][0]["image"].clone()
}

fn manifest(host: &Host, name: &str, uuid: &str) -> String {
    let text = match name {
        "prepared" => include_str!("data/version-2/prepared.json"),
        "running" => include_str!("data/version-2/running.json"),
        "exited" => include_str!("data/version-2/exited.json"),
        other => panic!("no manifest {other}"),
    };
    text.replace("@UUID@", uuid)
        .replace("@IMAGE@", &image_record(host).to_string())
}

/// A pod's directory as an earlier release made it.
fn leave(host: &Host, phase: &str, app: &str, manifest: &str) -> PathBuf {
    let pod = host.data_dir().join("pods").join(phase).join(OLD);
    for directory in ["upper", "work"] {
        fs::create_dir_all(pod.join("apps").join(app).join(directory)).unwrap();
    }
    fs::write(pod.join("pod.json"), manifest).unwrap();
    fs::write(pod.join("lock"), "").unwrap();
    pod
}

#[test]
fn a_pod_that_an_earlier_release_prepared_is_listed_started_stopped_and_removed() {
    let host = busybox();
    leave(
        &host,
        "prepared",
        "server",
        &manifest(&host, "prepared", OLD),
    );
    let names = host.data_dir().join("pods/names");
    fs::create_dir_all(&names).unwrap();
    symlink(OLD, names.join("old")).unwrap();

    let listed = host.fairing(["list"]).run().ok();
    listed.expect_stdout("old").expect_stdout("prepared");
    let record = status(&host, "old");
    assert_eq!(
        (&record["uuid"], &record["state"]),
        (&json!(OLD), &json!("prepared"))
    );

    host.fairing(["run-prepared", "--detach", "old"]).run().ok();
    wait_log(&host, "old", "hello app /tmp");
    assert_eq!(status(&host, "old")["state"], "running");
    host.fairing(["enter", "old", "--", "/bin/true"]).run().ok();
    // Its own stop signal is SIGQUIT, which it takes for a reason to end well.
    host.fairing(["stop", "old"]).run().ok();
    let record = status(&host, "old");
    assert_eq!(
        (&record["state"], &record["exit-code"]),
        (&json!("exited"), &json!(0))
    );
    host.fairing(["rm", "old"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_pod_that_runs_through_an_upgrade_is_listed_stopped_and_removed() {
    let host = busybox();
    let script = format!("trap 'exit 4' TERM; echo up; {IDLE}");
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "up");
    // Its monitor has read what an earlier release wrote.
    let path = host.data_dir().join("pods/run").join(&pod).join("pod.json");
    fs::write(path, manifest(&host, "running", &pod)).unwrap();

    host.fairing(["list"]).run().ok().expect_stdout("running");
    let record = status(&host, &pod);
    assert_eq!(record["hostname"], "fairing-old");
    assert_eq!(record["apps"][0]["state"], "running");
    host.fairing(["image", "rm", IMAGE])
        .run()
        .expect_error(125, &[IMAGE, &pod]);
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(status(&host, &pod)["exit-code"], 4);
    host.fairing(["rm", &pod]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_pod_that_ended_before_an_upgrade_is_listed_and_removed() {
    let host = busybox();
    let pod = leave(&host, "run", "job", &manifest(&host, "exited", OLD));
    let finished = "2026-11-20T08:00:01.000000000Z";
    let app = json!({"version": 1, "started": finished, "finished": finished,
        "outcome": {"kind": "exited", "code": 1}, "exit-code": 1});
    fs::write(pod.join("apps/job/status.json"), app.to_string()).unwrap();
    let exit = json!({"version": 1, "started": finished, "finished": finished, "exit-code": 1});
    fs::write(pod.join("exit.json"), exit.to_string()).unwrap();
    fs::write(
        pod.join("apps/job/log"),
        format!("{finished} stdout F done\n"),
    )
    .unwrap();

    host.fairing(["list"])
        .run()
        .ok()
        .expect_stdout("exited (1)");
    let record = status(&host, OLD);
    assert_eq!(record["insecure-options"], json!(["image"]));
    assert_eq!(record["apps"][0]["exit-code"], 1);
    assert_eq!(host.fairing(["logs", OLD]).run().ok().stdout, "done\n");
    host.fairing(["run-prepared", OLD])
        .run()
        .expect_error(125, &[OLD, "it has ended"]);
    host.fairing(["gc", "--grace-period=0s"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}
