//! `fairing commit` of apps that make it hard.

use std::fs;
use std::time::Duration;

use harness::{Signal, wait_until};

use crate::stocked::{IDLE, busybox, detached, status, wait_log};

#[test]
fn what_no_layer_can_hold_is_refused_with_its_path_and_leaves_nothing() {
    let host = busybox();
    for (script, code, part) in [
        ("touch /tmp/.wh.x", 113, "/tmp/.wh.x"),
        ("truncate -s 200G /tmp/endless", 112, "/tmp/endless"),
        (
            "cd /tmp; n=0; while [ $n -lt 300 ]; do mkdir d; cd d; n=$((n+1)); done",
            113,
            "nested too deeply",
        ),
    ] {
        let pod = detached(&host, &[], script);
        host.fairing(["wait", &pod]).run().ok();
        let output = host.fairing(["commit", &pod, "x"]).run();
        assert_ne!(output.code, Some(0), "{script}");
        output.expect_error(code, &[part]);
        host.fairing(["rm", &pod]).run().ok();
    }
    let tmp = host.data_dir().join("images/tmp");
    assert_eq!(fs::read_dir(tmp).unwrap().count(), 0);
    let list = host.fairing(["image", "list"]).run().ok().stdout;
    assert!(!list.contains("localhost/x"), "{list}");
}

#[test]
fn links_of_an_app_lead_to_no_file_of_the_host() {
    let host = busybox();
    let secret = host.write("secret", "of the host");
    let outside = secret.parent().unwrap().display();
    let script = format!(
        "ln -s {outside} /tmp/out; ln -s {outside}/secret /tmp/file; rm -r /srv 2>/dev/null; \
         ln -s {outside} /srv; mkfifo /tmp/pipe"
    );
    let pod = detached(&host, &[], &script);
    host.fairing(["wait", &pod]).run().ok();
    host.fairing(["commit", &pod, "test.example/made"])
        .run()
        .ok();
    let file = host.base().join("made.tar");
    host.fairing([
        "save",
        "test.example/made",
        "--format=oci-archive",
        "--output",
    ])
    .arg(&file)
    .run()
    .ok();
    let bytes = fs::read(file).unwrap();
    let needle = b"of the host";
    assert!(!bytes.windows(needle.len()).any(|part| part == needle));
}

#[test]
fn a_tree_that_changes_is_committed_as_far_as_it_is_there_and_a_hundred_thousand_files_too() {
    let host = busybox();
    let script = "mkdir /tmp/many; cd /tmp/many; seq 100000 | xargs touch; echo made; \
         while :; do echo x > /tmp/f; rm /tmp/f; mkdir /tmp/f; rmdir /tmp/f; mkfifo /tmp/f; rm /tmp/f; done";
    let pod = detached(&host, &[], script);
    wait_until("the files", Duration::from_secs(180), || {
        let logs = host.fairing(["logs", &pod]).run().ok();
        logs.stdout.contains("made").then_some(())
    });
    host.fairing(["commit", "--pause=false", &pod, "test.example/made"])
        .limit(Duration::from_secs(180))
        .run()
        .ok();
    let counted = host
        .fairing(["run", "--rm", "test.example/made", "--", "/bin/sh", "-c"])
        .arg("ls /tmp/many | wc -l")
        .run()
        .ok();
    assert_eq!(counted.text(), "100000");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn one_that_is_killed_leaves_no_image_and_no_frozen_app() {
    let host = busybox();
    let script = "dd if=/dev/zero of=/tmp/large bs=1M count=256 2>/dev/null; echo made; ";
    let pod = detached(&host, &[], &format!("{script}{IDLE}"));
    wait_log(&host, &pod, "made");
    let state = || {
        status(&host, &pod)["apps"][0]["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for signal in [Signal::KILL, Signal::TERM] {
        let committing = host.fairing(["commit", &pod, "test.example/made"]).spawn();
        let limit = Duration::from_secs(30);
        wait_until("the app's pause", limit, || {
            (state() == "paused").then_some(())
        });
        committing.signal(signal);
        committing.wait();
        wait_until("the app's going on", limit, || {
            (state() == "running").then_some(())
        });
    }
    host.fairing(["image", "gc"]).run().ok();
    let tmp = host.data_dir().join("images/tmp");
    assert_eq!(fs::read_dir(tmp).unwrap().count(), 0);
    let list = host.fairing(["image", "list"]).run().ok().stdout;
    assert!(!list.contains("test.example/made"), "{list}");
    host.fairing(["commit", &pod, "test.example/made"])
        .run()
        .ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}
