//! Apps of a running pod, beside other commands on the pod, and beside its end.

use harness::Process;
use serde_json::Value;

use crate::app::{add, app, idle, pod_file, sandbox};
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

#[test]
fn apps_that_are_added_at_once_without_names_get_different_ones() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let adding = [(); 6].map(|()| host.fairing(["app", "add", &pod, IMAGE]).spawn());
    let mut names: Vec<String> = adding
        .into_iter()
        .map(|command| command.wait().ok().text().to_owned())
        .collect();
    names.sort();
    let numbered = (2..=6).map(|number| format!("busybox-{number}"));
    let expected: Vec<_> = std::iter::once("busybox".to_owned())
        .chain(numbered)
        .collect();
    assert_eq!(names, expected);
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_pod_takes_no_more_of_its_apps_than_can_be_read_again() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let argument = "x".repeat(120 << 10);
    let mut added = 0;
    let refused = loop {
        let command = host.fairing(["app", "add", &pod, IMAGE, "--", "/bin/true"]);
        let output = command.args([argument.as_str(); 11]).run();
        if output.code != Some(0) {
            break output;
        }
        added += 1;
        assert!(added < 10, "everything is taken");
    };
    refused.expect_error(125, &["pod.json", "4194304"]);
    let now = status(&host, &pod);
    assert_eq!(now["state"], "running");
    assert_eq!(now["damaged"], Value::Null);
    assert_eq!(now["apps"].as_array().unwrap().len(), added);
    let folders = std::fs::read_dir(pod_file(&host, &pod, "apps")).unwrap();
    assert_eq!(folders.count(), added);
    // It goes on.
    add(&host, &pod, "small", &[], &idle("small is up"));
    app(&host, &["start", &pod, "small"]);
    wait_log(&host, &pod, "small is up");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_pod_that_ends_while_an_app_is_stopped_is_said_to_have_ended() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let deaf = format!("trap 'echo heard' TERM; echo up; {IDLE}");
    add(&host, &pod, "deaf", &[], &deaf);
    app(&host, &["start", &pod, "deaf"]);
    wait_log(&host, &pod, "up");
    let stopping = host
        .fairing(["app", "stop", &pod, "deaf", "--grace-period", "60s"])
        .spawn();
    wait_log(&host, &pod, "heard");
    let monitor = status(&host, &pod)["monitor-pid"].as_u64().unwrap();
    Process::read(u32::try_from(monitor).unwrap())
        .expect("the monitor runs")
        .kill();
    stopping.wait().expect_error(125, &["it has ended"]);
}

#[test]
fn an_app_of_a_pod_without_apps_is_not_there() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    host.fairing(["enter", "--app", "zz", &pod])
        .run()
        .expect_error(121, &["no app `zz`; it has none; add one"]);
    host.fairing(["stop", &pod]).run().ok();
}
