//! What pods are called by: UUIDs, their beginnings, and names.

use std::collections::BTreeMap;

use harness::Running;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

#[test]
fn a_pod_is_found_by_uuid_beginning_and_name() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web-1"], IDLE);
    for selector in [pod.as_str(), &pod[..8], "web-1"] {
        assert_eq!(status(&host, selector)["uuid"], pod);
    }
    let output = host.fairing(["cat-manifest", &pod[..8]]).run().ok();
    assert_eq!(output.json()["name"], "web-1");
    assert_eq!(host.fairing(["logs", "web-1"]).run().ok().stdout, "");
    host.fairing(["enter", &pod[..6], "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["stop", "--force", &pod[..8]]).run().ok();
    host.fairing(["rm", "web-1"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_pod_has_the_labels_that_it_was_given() {
    let host = busybox();
    let labels = ["--label", "tier=front", "-l", "a.b/c=x=y", "-l", "bare"];
    let prepare = host.fairing(["prepare"]).args(labels).arg(IMAGE);
    let pod = prepare.run().ok().text().to_owned();
    let manifest = host.fairing(["cat-manifest", &pod]).run().ok().json();
    let given = serde_json::json!({ "tier": "front", "a.b/c": "x=y", "bare": "" });
    assert_eq!(manifest["labels"], given);
    host.fairing(["prepare", "--label", "=x", IMAGE])
        .run()
        .expect_error(2, &["a label begins with its key"]);
    host.fairing(["rm", &pod]).run().ok();
}

#[test]
fn an_unknown_pod_is_an_error_of_its_own() {
    let host = busybox();
    let uuid = "0f0e0d0c-0b0a-4908-8706-050403020100";
    for command in [
        "status",
        "stop",
        "rm",
        "cat-manifest",
        "logs",
        "run-prepared",
        "enter",
    ] {
        for selector in [uuid, "0f0e0d0c", "nobody"] {
            host.fairing([command, selector])
                .run()
                .expect_error(121, &[selector]);
        }
    }
}

#[test]
fn an_ambiguous_beginning_names_the_candidates() {
    let host = busybox();
    // Of 17 UUIDs two begin with the same digit.
    let mut by_digit: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..17 {
        let uuid = host
            .fairing(["prepare", IMAGE])
            .run()
            .ok()
            .text()
            .to_owned();
        by_digit.entry(uuid[..1].to_owned()).or_default().push(uuid);
    }
    let (digit, uuids) = by_digit.iter().find(|(_, uuids)| uuids.len() > 1).unwrap();
    host.fairing(["rm", digit])
        .run()
        .expect_error(121, &[&uuids[0], &uuids[1]]);
    assert_eq!(host.pod_folders().len(), 17);
    host.fairing(["gc", "--expire-prepared=0s"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn a_name_belongs_to_one_pod_until_that_is_removed() {
    let host = busybox();
    let first = detached(&host, &["--name", "db"], IDLE);
    let again = || host.fairing(["run", "--rm", "--name", "db", IMAGE, "--exec", "/bin/true"]);
    again().run().expect_error(120, &["db", &first]);
    assert_eq!(host.pod_folders(), [("run".to_owned(), first.clone())]);
    assert_eq!(status(&host, "db")["state"], "running");
    host.fairing(["stop", "--force", "db"]).run().ok();
    again().run().expect_error(120, &["db", &first]);
    host.fairing(["rm", "db"]).run().ok();
    again().run().ok();
    // And free again after a pod that removed itself.
    again().run().ok();
    host.fairing(["status", "db"])
        .run()
        .expect_error(121, &["db"]);
}

#[test]
fn of_many_who_want_a_name_one_gets_it() {
    let host = busybox();
    let started: Vec<Running> = (0..8)
        .map(|_| {
            host.fairing(["run", "--detach", "--name", "only", IMAGE, "--"])
                .args(["/bin/sh", "-c", IDLE])
                .spawn()
        })
        .collect();
    let outputs: Vec<_> = started.into_iter().map(Running::wait).collect();
    let (won, lost): (Vec<_>, Vec<_>) = outputs
        .into_iter()
        .partition(|output| output.code == Some(0));
    assert_eq!(won.len(), 1, "{won:?}");
    for output in lost {
        output.expect_error(120, &["only"]);
    }
    assert_eq!(status(&host, "only")["uuid"], won[0].text());
    assert_eq!(host.pod_folders().len(), 1);
    host.fairing(["rm", "--force", "only"]).run().ok();
}

#[test]
fn names_are_labels_and_never_like_uuids() {
    let host = busybox();
    let long = "x".repeat(64);
    for name in [
        "",
        "Upper",
        "under_score",
        "-a",
        "a-",
        "a.b",
        "../x",
        "deadbeef",
        &long,
    ] {
        host.fairing(["run", "--name", name, IMAGE, "--exec", "/bin/true"])
            .run()
            .expect_code(2)
            .expect_stderr("fairing: ");
    }
    assert_eq!(host.pod_folders(), []);
}
