//! Pods that are made first and started later.

use std::fs;

use harness::{Host, ImageBuilder};

use crate::stocked::{IDLE, IMAGE, busybox, import, status};

#[track_caller]
fn prepare(host: &Host, arguments: &[&str]) -> String {
    let output = host.fairing(["prepare"]).args(arguments).run().ok();
    assert_eq!(output.stdout.lines().count(), 1, "{output}");
    output.text().to_owned()
}

#[test]
fn a_prepared_pod_runs_once_with_all_that_it_was_given() {
    let host = busybox();
    let script = "echo $A $(id -un) $(hostname) $(pwd); exit 5";
    let pod = prepare(
        &host,
        &[
            "--name",
            "later",
            "--hostname",
            "there",
            IMAGE,
            "--env",
            "A=b",
            "--user",
            "app",
            "--workdir",
            "/tmp",
            "--",
            "/bin/sh",
            "-c",
            script,
        ],
    );
    let record = status(&host, "later");
    assert_eq!(record["uuid"], pod);
    assert_eq!(record["state"], "prepared");
    assert_eq!(record["apps"][0]["state"], "prepared");
    assert!(host.processes().is_empty());
    let output = host.fairing(["run-prepared", "later"]).run().expect_code(5);
    assert_eq!(output.stdout, "b app there /tmp\n");
    assert_eq!(status(&host, &pod)["state"], "exited");
    host.fairing(["run-prepared", &pod])
        .run()
        .expect_error(125, &[&pod, "has ended"]);
}

#[test]
fn a_prepared_pod_can_run_in_the_background_and_remove_itself() {
    let host = busybox();
    let script = format!("trap 'exit 0' TERM; echo up; {IDLE}");
    let pod = prepare(&host, &[IMAGE, "--", "/bin/sh", "-c", &script]);
    let output = host
        .fairing(["run-prepared", "--detach", "--rm", &pod])
        .run()
        .ok();
    assert_eq!(output.text(), pod);
    crate::stocked::wait_log(&host, &pod, "up");
    host.fairing(["run-prepared", &pod])
        .run()
        .expect_error(125, &[&pod, "running"]);
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_prepared_pod_with_standard_input_runs_in_the_foreground_or_waits_for_who_attaches() {
    let host = busybox();
    let pod = prepare(&host, &[IMAGE, "--interactive", "--", "/bin/cat"]);
    host.fairing(["start", &pod]).run().ok();
    let client = host.fairing(["attach", &pod]).stdin("in\n").spawn();
    client.wait_stdout("in\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
    client.wait();
    let pod = prepare(&host, &[IMAGE, "--interactive", "--", "/bin/cat"]);
    let output = host
        .fairing(["run-prepared", &pod])
        .stdin("in\n")
        .run()
        .ok();
    assert_eq!(output.stdout, "in\n");
}

#[test]
fn a_prepared_pod_that_can_not_be_started_stays_prepared() {
    let host = busybox();
    let source = host.base().join("source");
    fs::create_dir(&source).unwrap();
    let volume = format!("{}:/data", source.display());
    let words = [IMAGE, "-v", &volume, "--", "/bin/ls", "/data"];
    let pod = prepare(&host, &[&["--name", "later"][..], &words].concat());
    fs::remove_dir(&source).unwrap();
    for command in [
        &["run-prepared", "later"][..],
        &["run-prepared", "--rm", "later"],
        &["run-prepared", "--detach", "later"],
        &["start", "later"],
    ] {
        let refused = host.fairing(command.iter().copied()).run();
        refused.expect_error(125, &["source"]);
        assert_eq!(status(&host, "later")["state"], "prepared", "{command:?}");
        assert!(host.processes().is_empty());
    }
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "").unwrap();
    let output = host.fairing(["run-prepared", "later"]).run().ok();
    assert_eq!(output.stdout, "file\n");
    assert_eq!(status(&host, "later")["uuid"], pod.as_str());
    // One that is run at once and can't be is none.
    fs::remove_dir_all(&source).unwrap();
    let run = host.fairing(["run", "--name", "now"]).args(words).run();
    run.expect_code(125);
    host.fairing(["status", "now"]).run().expect_code(121);
}

#[test]
fn a_prepared_pod_does_not_run_yet_and_can_be_removed() {
    let host = busybox();
    let pod = prepare(&host, &["--name", "idle", IMAGE]);
    for command in ["stop", "enter"] {
        host.fairing([command, &pod])
            .run()
            .expect_error(125, &[&pod, "has not been started"]);
    }
    host.collect();
    assert_eq!(status(&host, &pod)["state"], "prepared");
    host.fairing(["rm", "idle"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_prepared_pod_keeps_its_image() {
    let host = busybox();
    let pod = prepare(
        &host,
        &[IMAGE, "--", "/bin/cat", "/etc/hostname", "/version"],
    );
    host.fairing(["image", "rm", IMAGE])
        .run()
        .expect_error(125, &[IMAGE, &pod]);
    // The name now stands for another image, which the pod must not get.
    let layer = harness::Layer::new().file("version", "new", 0o644);
    let newer = ImageBuilder::busybox().layer(layer).build();
    import(&host, &newer, IMAGE);
    host.collect();
    host.fairing(["run-prepared", &pod])
        .run()
        .expect_code(1)
        .expect_stderr("/version");
    let output = host.fairing(["run", "--rm", IMAGE, "--", "/bin/cat", "/version"]);
    assert_eq!(output.run().ok().stdout, "new");
}

#[test]
fn a_prepared_pod_is_judged_again_when_it_starts() {
    let host = busybox();
    let pod = prepare(&host, &[IMAGE, "--exec", "/bin/true"]);
    let reject = "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n";
    host.write_policy("tests.toml", reject);
    host.fairing(["run-prepared", &pod])
        .run()
        .expect_error(115, &[IMAGE]);
    assert_eq!(status(&host, &pod)["state"], "prepared");
    host.accept_unsigned();
    host.fairing(["run-prepared", &pod]).run().ok();
}

#[test]
fn a_waiver_at_preparation_is_none_at_the_start() {
    let host = busybox();
    host.write_policy("tests.toml", "");
    host.fairing(["prepare", IMAGE])
        .run()
        .expect_error(115, &[IMAGE]);
    let waived = [
        "--insecure-options=image",
        "prepare",
        IMAGE,
        "--exec",
        "/bin/true",
    ];
    let pod = host.fairing(waived).run().ok();
    let pod = pod.text();
    assert_eq!(
        status(&host, pod)["apps"][0]["verification"]["policy"],
        "waived"
    );
    host.fairing(["run-prepared", pod])
        .run()
        .expect_error(115, &[IMAGE]);
    host.fairing(["--insecure-options=image", "run-prepared", pod])
        .run()
        .ok();
    assert_eq!(status(&host, pod)["insecure-options"][0], "image");
}

#[test]
fn preparation_that_fails_leaves_nothing() {
    let host = busybox();
    host.fairing(["prepare", "--pull=never", "test.example/unknown"])
        .run()
        .expect_error(110, &["test.example/unknown"]);
    host.fairing([
        "prepare",
        IMAGE,
        "--app-name",
        "a",
        "---",
        IMAGE,
        "--app-name",
        "a",
    ])
    .run()
    .expect_error(2, &["two apps", "a"]);
    assert_eq!(host.pod_folders(), []);
    assert!(host.leftovers().is_empty(), "{}", host.leftovers());
}
