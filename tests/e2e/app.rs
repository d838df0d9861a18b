//! Apps that join a running pod, start, stop and leave it.

use std::io::{Read, Write};
use std::time::Duration;

use harness::{ControlClient, Host, ImageBuilder, Signal, wait_until};
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox, detached, import, status, wait_log};

/// A pod without apps, in the background; gives its UUID.
#[track_caller]
fn sandbox(host: &Host, flags: &[&str]) -> String {
    let sandbox = host.fairing(["app", "sandbox", "--detach"]).args(flags);
    sandbox.run().ok().text().to_owned()
}

/// Adds an app that runs a script.
#[track_caller]
fn add(host: &Host, pod: &str, name: &str, flags: &[&str], script: &str) {
    let command = host.fairing(["app", "add", pod, IMAGE, "--app-name", name]);
    let output = command
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
        .run()
        .ok();
    assert_eq!(output.text(), name);
}

#[track_caller]
fn app(host: &Host, arguments: &[&str]) {
    host.fairing(["app"]).args(arguments).run().ok();
}

/// What `app list` says of the apps: their names and states.
#[track_caller]
fn states(host: &Host, pod: &str) -> Vec<(String, String)> {
    let listed = host
        .fairing(["app", "list", "--format", "json", pod])
        .run()
        .ok()
        .json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let apps = listed.as_array().unwrap();
    apps.iter()
        .map(|app| (text(&app["name"]), text(&app["state"])))
        .collect()
}

fn state(host: &Host, pod: &str, app: &str) -> String {
    let found = states(host, pod).into_iter().find(|(name, _)| name == app);
    found.map_or_else(String::new, |(_, state)| state)
}

#[track_caller]
fn wait_state(host: &Host, pod: &str, app: &str, wanted: &str) {
    wait_until(
        &format!("{app} is {wanted}"),
        Duration::from_secs(20),
        || (state(host, pod, app) == wanted).then_some(()),
    );
}

fn idle(word: &str) -> String {
    format!("trap 'exit 0' TERM; echo {word}; {IDLE}")
}

fn pod_file(host: &Host, pod: &str, name: &str) -> std::path::PathBuf {
    host.data_dir().join("pods/run").join(pod).join(name)
}

#[test]
fn an_empty_pod_lives_and_its_apps_come_and_go() {
    let host = busybox();
    let pod = sandbox(&host, &["--name", "box"]);
    assert_eq!(status(&host, "box")["state"], "running");
    assert_eq!(states(&host, "box"), []);

    add(
        &host,
        "box",
        "web",
        &["--memory", "64m"],
        &idle("web is up"),
    );
    assert_eq!(states(&host, "box"), [("web".into(), "created".into())]);
    host.fairing(["list"]).run().ok().expect_stdout("created");
    app(&host, &["start", "box", "web"]);
    wait_log(&host, &pod, "web is up");
    assert_eq!(state(&host, "box", "web"), "running");
    host.fairing(["enter", "box", "--app", "web", "--", "/bin/true"])
        .run()
        .ok();
    let manifest = host.fairing(["cat-manifest", "box"]).run().ok().json();
    assert_eq!(manifest["apps"][0]["name"], "web");
    host.fairing(["image", "rm", IMAGE])
        .run()
        .expect_error(125, &[IMAGE, "box"]);

    app(&host, &["stop", "box", "web"]);
    assert_eq!(state(&host, "box", "web"), "exited");
    let shown = host.fairing(["app", "status", "box", "web"]).run().ok();
    shown
        .expect_stdout("app-web=0")
        .expect_stdout("app-web-verified=accept-unsigned");
    // It starts again with what it had.
    app(&host, &["start", "box", "web"]);
    wait_state(&host, "box", "web", "running");
    host.fairing(["app", "start", "box", "web"])
        .run()
        .expect_error(125, &["web", "runs"]);
    host.fairing(["app", "rm", "box", "web"])
        .run()
        .expect_error(125, &["web", "runs"]);
    app(&host, &["rm", "--force", "box", "web"]);
    assert_eq!(states(&host, "box"), []);
    assert!(!pod_file(&host, &pod, "apps/web").exists());
    assert!(
        std::fs::read_dir(pod_file(&host, &pod, "removed"))
            .unwrap()
            .next()
            .is_none()
    );
    assert!(
        !host
            .cgroups()
            .iter()
            .any(|cgroup| cgroup.join("web").exists())
    );
    // Its name and its image are free.
    add(&host, "box", "web", &[], "exit 3");
    app(&host, &["start", "box", "web"]);
    wait_state(&host, "box", "web", "exited");
    assert_eq!(status(&host, "box")["apps"][0]["exit-code"], 3);

    host.fairing(["stop", "box"]).run().ok();
    let ended = status(&host, "box");
    assert_eq!(
        (&ended["state"], &ended["exit-code"]),
        (&json!("exited"), &json!(0))
    );
    host.fairing(["rm", "box"]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn an_app_starts_again_with_its_files_also_where_they_go_with_the_pod() {
    let host = busybox();
    let pod = sandbox(&host, &["--rm"]);
    add(&host, &pod, "count", &[], "echo x >> /runs; wc -l < /runs");
    for runs in ["1", "2", "3"] {
        app(&host, &["start", &pod, "count"]);
        wait_log(&host, &pod, runs);
        wait_state(&host, &pod, "count", "exited");
    }
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn an_app_joins_a_pod_that_was_started_with_others_and_shares_their_network() {
    let host = busybox();
    let pod = detached(&host, &["--hostname", "shared"], &idle("first is up"));
    wait_log(&host, &pod, "first is up");
    let script = format!(
        "hostname; ls /proc | grep -c '^[0-9]'; {}",
        idle("second is up")
    );
    let added = host
        .fairing([
            "app", "add", "--start", &pod, IMAGE, "--", "/bin/sh", "-c", &script,
        ])
        .run()
        .ok();
    // A name that the pod has already gets a number.
    assert_eq!(added.text(), "busybox-2");
    wait_log(&host, &pod, "second is up");
    wait_log(&host, &pod, "shared");
    let places = |app: &str| {
        let record = host
            .fairing(["app", "status", "--format", "json", &pod, app])
            .run()
            .ok();
        let pid = record.json()["pid"].as_u64().unwrap();
        ["net", "ipc", "uts", "pid"]
            .map(|kind| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap())
    };
    assert_eq!(places("busybox"), places("busybox-2"));
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(status(&host, &pod)["exit-code"], 0);
}

#[test]
fn an_image_that_the_policy_refuses_neither_joins_nor_starts_again() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &[], "exit 0");
    app(&host, &["start", &pod, "web"]);
    wait_state(&host, &pod, "web", "exited");
    std::fs::remove_file(host.local_config().join("trust.d/tests.toml")).unwrap();
    for arguments in [["add", &pod, IMAGE], ["start", &pod, "web"]] {
        let refused = host.fairing(["app"]).args(arguments).run();
        assert!(
            !refused.stderr.is_empty() && refused.code != Some(0),
            "{refused}"
        );
        refused.expect_stderr(IMAGE);
    }
    assert_eq!(states(&host, &pod), [("web".into(), "exited".into())]);
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn the_failure_of_an_app_is_the_pods_end_only_where_the_pod_says_so() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "good", &[], &idle("good is up"));
    add(&host, &pod, "bad", &[], "exit 7");
    app(&host, &["start", &pod, "good", "bad"]);
    wait_state(&host, &pod, "bad", "exited");
    assert_eq!(state(&host, &pod, "good"), "running");
    // What ended is told apart from what runs, also without asking the monitor.
    let listed = host.fairing(["list", "--format", "json"]).run().ok().json();
    let apps = listed[0]["apps"].as_array().unwrap();
    let found: Vec<_> = apps
        .iter()
        .map(|app| app["state"].as_str().unwrap())
        .collect();
    assert_eq!(found, ["running", "exited"]);
    host.fairing(["stop", &pod]).run().ok();

    let flags = ["--lifetime=until-stopped", "--on-app-failure=stop-pod"];
    let pod = detached(&host, &flags, &idle("first is up"));
    add(&host, &pod, "bad", &[], "exit 7");
    app(&host, &["start", &pod, "bad"]);
    host.fairing(["status", "--wait", &pod]).run().ok();
    let ended = status(&host, &pod);
    assert_eq!(
        (&ended["state"], &ended["exit-code"]),
        (&json!("exited"), &json!(7))
    );
}

#[test]
fn a_program_that_is_not_there_is_told_and_the_pod_goes_on() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let added = host.fairing([
        "app",
        "add",
        &pod,
        IMAGE,
        "--app-name",
        "no",
        "--exec",
        "/no/such",
    ]);
    added.run().ok();
    host.fairing(["app", "start", &pod, "no"])
        .run()
        .expect_error(127, &["such"]);
    assert_eq!(states(&host, &pod), [("no".into(), "exited".into())]);
    add(&host, &pod, "web", &[], &idle("web is up"));
    app(&host, &["start", &pod, "web"]);
    wait_log(&host, &pod, "web is up");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn what_can_not_be_is_refused_and_changes_nothing() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "web", &[], "exit 0");
    let refused = |arguments: &[&str], code, parts: &[&str]| {
        host.fairing(["app"])
            .args(arguments)
            .run()
            .expect_error(code, parts);
    };
    refused(&["add", &pod, IMAGE, "--app-name", "web"], 125, &["`web`"]);
    refused(
        &["add", &pod, IMAGE, "--app-name", "Not_A_Label"],
        2,
        &["Not_A_Label"],
    );
    for command in ["start", "stop", "rm"] {
        refused(&[command, &pod, "nobody"], 125, &["nobody"]);
    }
    refused(&["status", &pod, "nobody"], 125, &["nobody"]);
    refused(&["add", "nobody", IMAGE], 121, &["nobody"]);
    // One that doesn't run has nothing to stop.
    app(&host, &["stop", &pod, "web"]);
    assert_eq!(states(&host, &pod), [("web".into(), "created".into())]);
    host.fairing(["stop", &pod]).run().ok();
    refused(&["add", &pod, IMAGE], 125, &[&pod, "exited"]);
}

#[test]
fn two_clients_at_once_get_one_app_of_a_name() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let add = || {
        let arguments = ["app", "add", &pod, IMAGE, "--app-name", "web"];
        host.fairing(arguments).run().code == Some(0)
    };
    let added = std::thread::scope(|scope| {
        let clients = [(); 4].map(|()| scope.spawn(add));
        clients.map(|client| client.join().unwrap())
    });
    assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
    assert_eq!(states(&host, &pod).len(), 1);
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_monitor_that_is_killed_while_apps_join_leaves_nothing_that_gc_can_not_clear() {
    let host = busybox();
    for _ in 0..4 {
        let pod = sandbox(&host, &[]);
        let monitor = status(&host, &pod)["monitor-pid"].as_u64().unwrap();
        std::thread::scope(|scope| {
            let adding = scope.spawn(|| {
                for number in 0..8 {
                    let name = format!("app-{number}");
                    let arguments = ["app", "add", "--start", &pod, IMAGE, "--app-name", &name];
                    host.fairing(arguments)
                        .args(["--", "/bin/sleep", "1000"])
                        .run();
                }
            });
            // As soon as the first has joined.
            let apps = pod_file(&host, &pod, "apps");
            wait_until("an app", Duration::from_secs(20), || {
                let entries = std::fs::read_dir(&apps).ok()?;
                (entries.count() > 0).then_some(())
            });
            let monitor = Pid::from_raw(i32::try_from(monitor).unwrap()).unwrap();
            kill_process(monitor, Signal::KILL).unwrap();
            adding.join().unwrap();
        });
    }
    host.collect();
    assert_eq!(host.pod_folders(), []);
}

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
        "resources": {"block-io": {"weight": 100}}}));
    assert!(
        refused["message"].as_str().unwrap().contains("block-io"),
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

#[test]
fn another_image_of_the_name_joins_beside_the_first() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    add(&host, &pod, "old", &[], &idle("old is up"));
    let layer = harness::Layer::new().file("version", "new", 0o644);
    import(&host, &ImageBuilder::busybox().layer(layer).build(), IMAGE);
    host.collect();
    // It starts what it was added with, which nobody has collected meanwhile.
    app(&host, &["start", &pod, "old"]);
    wait_log(&host, &pod, "old is up");
    add(&host, &pod, "new", &[], "cat /version; echo");
    app(&host, &["start", &pod, "new"]);
    wait_log(&host, &pod, "new");
    host.fairing(["stop", &pod]).run().ok();
}
