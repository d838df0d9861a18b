//! What clients of a pod's control socket ask for: ends, events, statistics, limits, streams, logs.

use std::io::{Read, Write};
use std::time::Duration;

use harness::{ControlClient, wait_until};
use serde_json::json;

use crate::app::{add, app, idle, pod_file, sandbox, state};
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

#[test]
fn clients_wait_for_ends_and_see_what_happens() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let events = ControlClient::connect(&host, &pod);
    assert_eq!(
        events.ask(&json!({"type": "events"})),
        json!({"type": "done"})
    );
    let end = ControlClient::connect(&host, &pod);
    end.send(&json!({"type": "wait"}));
    add(&host, &pod, "web", &[], &idle("web is up"));
    let waits = ControlClient::connect(&host, &pod);
    // Who waits for one that has never run waits for nothing.
    let never = waits.ask(&json!({"type": "wait", "app": "web"}));
    assert_eq!(
        never,
        json!({"type": "app-ended", "app": "web", "outcome": null})
    );
    app(&host, &["start", &pod, "web"]);
    waits.send(&json!({"type": "wait", "app": "web"}));
    // One thing at a time.
    let busy = waits.ask(&json!({"type": "wait"}));
    assert_eq!(busy["type"], "refused");
    app(&host, &["stop", "--force", &pod, "web"]);
    let ended = waits.receive().unwrap();
    assert_eq!(
        (&ended["type"], &ended["outcome"]["signal"]),
        (&json!("app-ended"), &json!(9))
    );
    app(&host, &["rm", &pod, "web"]);
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(
        end.receive().unwrap(),
        json!({"type": "pod-ended", "exit_code": 0})
    );
    assert_eq!(end.receive(), None);
    let mut seen = Vec::new();
    while let Some(event) = events.receive() {
        let app = event["app"].as_str().unwrap_or("-").to_owned();
        seen.push((app, event["happening"]["kind"].as_str().unwrap().to_owned()));
    }
    let happened = |app: &str, kind: &str| (app.to_owned(), kind.to_owned());
    let expected = [
        happened("web", "added"),
        happened("web", "started"),
        happened("web", "exited"),
        happened("web", "removed"),
        happened("-", "stopping"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_harms_nobody() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &[], &idle("web is up"));
    app(&host, &["start", &pod, "web"]);
    let mute = ControlClient::connect(&host, &pod);
    mute.send(&json!({"type": "events"}));
    let talker = ControlClient::connect(&host, &pod);
    // More than a socket holds.
    for _ in 0..400 {
        for request in ["pause", "resume"] {
            assert_eq!(
                talker.ask(&json!({"type": request, "app": "web"})),
                json!({"type": "done"})
            );
        }
    }
    let mut count = 0;
    while mute.receive().is_some() {
        count += 1;
    }
    assert!(count < 800, "{count} events came, so nobody was dropped");
    assert_eq!(state(&host, &pod, "web"), "running");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn what_is_no_request_is_told_so_and_hung_up_on() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    for bytes in [
        br#"{"type":"time-travel"}"#.as_slice(),
        b"nonsense",
        br#"{"type":"signal","signal":99}"#,
        br#"{"type":"signal","signal":-1}"#,
        br#"{"type":"signal","signal":0}"#,
        br#"{"type":"signal","signal":99999}"#,
        br#"{"type":"add-app","app":{"name":"../web"}}"#,
    ] {
        let client = ControlClient::connect(&host, &pod);
        client.send_bytes(bytes);
        assert_eq!(client.receive().unwrap()["type"], "refused");
        assert_eq!(client.receive(), None);
    }
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn an_app_is_measured_limited_anew_frozen_and_thawed() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &["--memory", "64m"], &idle("web is up"));
    app(&host, &["start", &pod, "web"]);
    wait_log(&host, &pod, "web is up");
    let client = ControlClient::connect(&host, &pod);
    let stats = client.ask(&json!({"type": "stats"}));
    let web = &stats["apps"][0];
    assert_eq!(
        (&web["app"], &web["memory"]["limit"]),
        (&json!("web"), &json!(64 << 20))
    );
    assert!(web["pids"]["current"].as_u64().unwrap() >= 1, "{stats}");
    assert!(web["memory"]["usage"].as_u64().unwrap() > 0, "{stats}");

    let limits = json!({"memory": {"limit": 32 << 20, "swap": 32 << 20}, "pids": {"limit": 30}});
    let update = json!({"type": "update", "app": "web", "resources": limits});
    assert_eq!(client.ask(&update), json!({"type": "done"}));
    let stats = client.ask(&json!({"type": "stats", "app": "web"}));
    assert_eq!(stats["apps"][0]["memory"]["limit"], 32 << 20);
    let manifest = host.fairing(["cat-manifest", &pod]).run().ok().json();
    assert_eq!(manifest["apps"][0]["resources"], limits);
    // What the isolator can't limit changes nothing.
    let refused = client.ask(&json!({"type": "update", "app": "web",
        "resources": {"unified": {"memory.high": "1"}}}));
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("cgroups of version 1 have no file \"memory.high\""),
        "{refused}"
    );

    assert_eq!(
        client.ask(&json!({"type": "pause", "app": "web"})),
        json!({"type": "done"})
    );
    assert_eq!(state(&host, &pod, "web"), "paused");
    assert_eq!(
        client.ask(&json!({"type": "resume"})),
        json!({"type": "done"})
    );
    assert_eq!(state(&host, &pod, "web"), "running");
    // One that is frozen can be ended all the same.
    assert_eq!(
        client.ask(&json!({"type": "pause"})),
        json!({"type": "done"})
    );
    app(&host, &["stop", &pod, "web"]);
    assert_eq!(state(&host, &pod, "web"), "exited");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_paused_app_takes_no_commands_and_does_not_hold_up_the_end_of_its_pod() {
    let host = busybox();
    let pod = sandbox(&host, &["--on-app-failure=stop-pod"]);
    add(&host, &pod, "web", &["--start"], &idle("web is up"));
    let script = format!("trap 'exit 3' USR1; echo bad is up; {IDLE}");
    add(&host, &pod, "bad", &["--start"], &script);
    wait_log(&host, &pod, "bad is up");
    let client = ControlClient::connect(&host, &pod);
    let done = |request| assert_eq!(client.ask(&request), json!({"type": "done"}));
    done(json!({"type": "pause", "app": "web"}));
    host.fairing(["enter", &pod, "--app", "web", "--", "/bin/true"])
        .run()
        .expect_error(125, &["web", "is paused"]);
    done(json!({"type": "signal", "app": "bad", "signal": 10}));
    host.fairing(["status", "--wait", &pod])
        .limit(Duration::from_secs(30))
        .run()
        .ok();
    assert_eq!(status(&host, &pod)["exit-code"], 3);
}

#[test]
fn a_log_that_may_not_grow_costs_its_lines_and_not_the_pod() {
    let host = busybox();
    let script = "head -c 600000 /dev/zero | tr '\\0' x; trap 'exit 0' TERM; echo >&2 done; touch /done; \
                  while :; do sleep 1 & wait $!; done";
    let pod = host
        .fairing(["run", "--detach", IMAGE, "--", "/bin/sh", "-c", script])
        .through("/bin/sh", ["-c", "ulimit -f 256 && exec \"$@\"", "sh"])
        .run()
        .ok();
    let pod = pod.text();
    let written = ["enter", pod, "--", "/bin/test", "-e", "/done"];
    wait_until("all is written", Duration::from_secs(20), || {
        (host.fairing(written).run().code == Some(0)).then_some(())
    });
    assert_eq!(status(&host, pod)["state"], "running");
    host.fairing(["stop", pod]).run().ok();
    assert_eq!(status(&host, pod)["exit-code"], 0);
}

#[test]
fn who_waits_for_the_start_of_an_app_is_told_of_its_removal() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &[], &idle("web is up"));
    let waits = ControlClient::connect(&host, &pod);
    let request = json!({"type": "attach", "app": "web", "stdin": false, "at-start": true});
    waits.send(&request);
    app(&host, &["rm", &pod, "web"]);
    let refused = waits.receive().unwrap();
    let message = refused["message"].as_str().unwrap();
    assert_eq!(message, "app web was removed before it started");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn clients_share_an_apps_streams() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(
        &host,
        &pod,
        "echo",
        &["--interactive"],
        "while read line; do echo got $line; done",
    );
    add(&host, &pod, "web", &[], &idle("web is up"));
    app(&host, &["start", &pod, "echo", "web"]);
    let attach = |app: &str, stdin: bool| {
        let client = ControlClient::connect(&host, &pod);
        client.send(&json!({"type": "attach", "app": app, "stdin": stdin}));
        let (answer, files) = client.receive_with_files().unwrap();
        (client, answer, files)
    };
    let (_, refused, _) = attach("web", true);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("standard input"),
        "{refused}"
    );

    let (writer, attached, mut files) = attach("echo", true);
    assert_eq!(attached, json!({"type": "attached", "tty": false}));
    let (_watcher, _, mut seen) = attach("echo", false);
    files[0].write_all(b"hello\n").unwrap();
    for output in [&mut files[1], &mut seen[0]] {
        let mut line = [0; 10];
        output.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"got hello\n");
    }
    wait_log(&host, &pod, "got hello");
    // A client that leaves takes nothing with it.
    drop(seen);
    app(&host, &["stop", "--force", &pod, "echo"]);
    let ended = writer.receive().unwrap();
    assert_eq!(
        (&ended["type"], &ended["app"]),
        (&json!("app-ended"), &json!("echo"))
    );
    let mut rest = Vec::new();
    files[1].read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_log_that_was_renamed_is_opened_anew() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let script = format!("trap 'echo more' USR1; {}", idle("begun"));
    add(&host, &pod, "web", &[], &script);
    app(&host, &["start", &pod, "web"]);
    wait_log(&host, &pod, "begun");
    let log = pod_file(&host, &pod, "apps/web/log");
    let kept = log.with_extension("kept");
    std::fs::rename(&log, &kept).unwrap();
    let client = ControlClient::connect(&host, &pod);
    assert_eq!(
        client.ask(&json!({"type": "reopen-log", "app": "web"})),
        json!({"type": "done"})
    );
    let signal = json!({"type": "signal", "app": "web", "signal": 10});
    assert_eq!(client.ask(&signal), json!({"type": "done"}));
    wait_log(&host, &pod, "more");
    assert!(std::fs::read_to_string(kept).unwrap().contains("begun"));
    host.fairing(["stop", &pod]).run().ok();
}
