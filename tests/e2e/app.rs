//! Apps that join a running pod, start, stop and leave it.

use std::time::Duration;

use harness::{Host, ImageBuilder, Signal, wait_until};
use rustix::process::{Pid, kill_process};
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox, detached, import, status, wait_log};

/// A pod without apps, in the background; gives its UUID.
#[track_caller]
pub(crate) fn sandbox(host: &Host, flags: &[&str]) -> String {
    let sandbox = host.fairing(["app", "sandbox", "--detach"]).args(flags);
    sandbox.run().ok().text().to_owned()
}

/// Adds an app that runs a script.
#[track_caller]
pub(crate) fn add(host: &Host, pod: &str, name: &str, flags: &[&str], script: &str) {
    let command = host.fairing(["app", "add", pod, IMAGE, "--app-name", name]);
    let output = command
        .args(flags)
        .args(["--", "/bin/sh", "-c", script])
        .run()
        .ok();
    assert_eq!(output.text(), name);
}

#[track_caller]
pub(crate) fn app(host: &Host, arguments: &[&str]) {
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

pub(crate) fn state(host: &Host, pod: &str, app: &str) -> String {
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

pub(crate) fn idle(word: &str) -> String {
    format!("trap 'exit 0' TERM; echo {word}; {IDLE}")
}

pub(crate) fn pod_file(host: &Host, pod: &str, name: &str) -> std::path::PathBuf {
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
fn an_app_that_could_not_be_started_at_once_was_not_added() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let add = |program: &'static str| {
        let arguments = ["app", "add", "--start", &pod, IMAGE, "--app-name", "web"];
        host.fairing(arguments).args(["--exec", program])
    };
    let refused = add("/no/such").run();
    assert_eq!(refused.stdout, "");
    refused.expect_error(127, &["such"]);
    assert_eq!(states(&host, &pod), []);
    assert_eq!(add("/bin/true").run().ok().text(), "web");
    host.fairing(["stop", &pod]).run().ok();
}

#[test]
fn a_follower_of_the_logs_sees_the_apps_that_join() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let follower = host.fairing(["logs", "--follow", &pod]).spawn();
    add(&host, &pod, "one", &["--start"], &idle("one is up"));
    follower.wait_stdout("one is up\n");
    add(&host, &pod, "two", &["--start"], "echo two is up; exit 0");
    follower.wait_stdout("two: two is up\n");
    // Another one of a name that was there.
    wait_state(&host, &pod, "two", "exited");
    app(&host, &["rm", &pod, "two"]);
    add(&host, &pod, "two", &["--start"], "echo two again; exit 0");
    follower.wait_stdout("two: two again\n");
    host.fairing(["stop", &pod]).run().ok();
    follower.wait().ok();
}

#[test]
fn a_pod_that_stays_when_its_app_has_failed_is_listed_as_running() {
    let host = busybox();
    let pod = detached(&host, &["--lifetime=until-stopped"], "exit 7");
    let app = status(&host, &pod)["apps"][0]["name"].clone();
    wait_state(&host, &pod, app.as_str().unwrap(), "exited");
    let listed = host.fairing(["list"]).run().ok();
    listed.expect_stdout("exited (7), pod running");
    host.fairing(["stop", &pod]).run().ok();
    host.fairing(["list"])
        .run()
        .ok()
        .expect_stdout("exited (7)  ");
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
    refused(&["add", &pod, IMAGE, "--app-name", "web"], 120, &["`web`"]);
    refused(
        &["add", &pod, IMAGE, "--app-name", "Not_A_Label"],
        2,
        &["Not_A_Label"],
    );
    for command in ["start", "stop", "rm"] {
        refused(&[command, &pod, "nobody"], 121, &["nobody"]);
    }
    refused(&["status", &pod, "nobody"], 121, &["nobody"]);
    refused(&["add", "nobody", IMAGE], 121, &["nobody"]);
    // One that doesn't run has nothing to stop.
    app(&host, &["stop", &pod, "web"]);
    assert_eq!(states(&host, &pod), [("web".into(), "created".into())]);
    host.fairing(["stop", &pod]).run().ok();
    refused(&["add", &pod, IMAGE], 125, &[&pod, "has ended"]);
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

#[test]
fn an_app_that_has_filled_the_disk_can_be_removed() {
    let host = Host::builder().data_size("24m").build();
    host.accept_unsigned();
    import(&host, &ImageBuilder::busybox().build(), IMAGE);
    sandbox(&host, &["--name", "box"]);
    add(&host, "box", "web", &[], "dd if=/dev/zero of=/all bs=4k");
    app(&host, &["start", "box", "web"]);
    wait_state(&host, "box", "web", "exited");
    let free = || {
        let statistics = rustix::fs::statvfs(host.data_dir()).unwrap();
        statistics.f_bavail * statistics.f_bsize
    };
    assert!(free() < 16 << 10, "{} bytes are free", free());
    app(&host, &["rm", "box", "web"]);
    assert_eq!(states(&host, "box"), []);
    assert!(free() > 1 << 20, "{} bytes are free", free());
    host.fairing(["stop", "box"]).run().ok();
}
