//! `--pid=app:NAME`: an app among the processes of another one of its pod, as those are that debug it.

use std::time::Duration;

use harness::wait_until;

use crate::app::{add, app, idle, sandbox, state};
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

#[test]
fn an_app_sees_and_signals_the_processes_of_the_one_that_it_joins() {
    for flags in [&["--userns=host"][..], &["--userns=auto"]] {
        let host = busybox();
        let pod = sandbox(&host, flags);
        add(&host, &pod, "web", &["--pid=private"], &idle("web is up"));
        app(&host, &["start", &pod, "web"]);
        wait_log(&host, &pod, "web is up");
        let look = "tr '\\0' ' ' < /proc/1/cmdline; echo; \
                    test $$ != 1 && echo not first; \
                    test \"$(readlink /proc/self)\" = \"$(exec sh -c 'echo $PPID')\" || echo same proc; \
                    echo looked; exec sleep 1000";
        add(&host, &pod, "debug", &["--pid=app:web"], look);
        app(&host, &["start", &pod, "debug"]);
        wait_log(&host, &pod, "looked");
        let logs = host.fairing(["logs", &pod]).run().ok();
        logs.expect_stdout("web is up").expect_stdout("not first");
        // A command that enters it is there, too.
        let words = ["enter", "--app", "debug", &pod, "--", "/bin/sh", "-c"];
        let seen = host
            .fairing(words)
            .arg("tr '\\0' ' ' < /proc/1/cmdline")
            .run()
            .ok();
        seen.expect_stdout("web is up");
        // The kernel ends it with process 1.
        app(&host, &["stop", "--force", &pod, "web"]);
        wait_until(
            "the end of what has joined it",
            Duration::from_secs(10),
            || (state(&host, &pod, "debug") != "running").then_some(()),
        );
        let status = status(&host, &pod);
        let debug = status["apps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "debug");
        assert_eq!(debug.unwrap()["outcome"]["signal"], 9, "{status}");
        // What it would join does not run.
        host.fairing(["app", "start", &pod, "debug"])
            .run()
            .expect_code(125)
            .expect_stderr("can't join the processes of app web, which does not run");
        host.fairing(["stop", &pod]).run().ok();
    }
}

#[test]
fn apps_of_one_start_join_each_other_in_their_order() {
    let host = busybox();
    let uuid = host
        .fairing([
            "run",
            "--detach",
            IMAGE,
            "--app-name=one",
            "--pid=private",
            "--",
        ])
        .args([
            "/bin/sh",
            "-c",
            IDLE,
            "---",
            IMAGE,
            "--app-name=two",
            "--pid=app:one",
            "--",
        ])
        .args([
            "/bin/sh",
            "-c",
            "tr '\\0' ' ' < /proc/1/cmdline; echo; exec sleep 1000",
        ])
        .run()
        .ok()
        .text()
        .to_owned();
    wait_log(&host, &uuid, "usleep");
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn only_processes_that_are_an_app_s_own_can_be_joined() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &[], &idle("web is up"));
    for (flag, reason) in [
        ("--pid=app:web", "which are the pod's (--pid=private)"),
        ("--pid=app:db", "which the pod does not have"),
    ] {
        host.fairing(["app", "add", "--app-name=debug", flag, &pod, IMAGE])
            .run()
            .expect_code(125)
            .expect_stderr(reason);
    }
    host.fairing(["run", "--rm", IMAGE, "--app-name=one", "--pid=app:one"])
        .run()
        .expect_code(125)
        .expect_stderr("which the pod does not have");
    host.fairing(["run", "--rm", IMAGE, "--pid=app:No Name"])
        .run()
        .expect_code(2)
        .expect_stderr("--pid");
    host.fairing(["stop", &pod]).run().ok();
}
