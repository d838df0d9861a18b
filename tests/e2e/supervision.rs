//! Pods whose apps are looked after: they start in order, start again, and say when they are ready. In one table for the
//! isolators that keep a pod apart from the host.

use harness::{ControlClient, Host, wait_until};
use serde_json::{Value, json};

use crate::either_isolator::{LIMIT, run};
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

/// Makes each of these a test for each isolator.
macro_rules! in_either_isolator {
    ($($test:ident,)+) => {
        mod nspawn {
            $(#[test]
            fn $test() {
                super::$test("nspawn");
            })+
        }

        mod kvm {
            $(#[test]
            fn $test() {
                super::$test("kvm");
            })+
        }
    };
}

in_either_isolator! {
    an_app_that_fails_starts_again_at_once_and_then_waits,
    an_app_starts_again_no_more_often_than_was_asked_for,
    a_pod_that_is_to_come_back_is_not_one_that_is_removed,
    a_program_that_is_not_there_is_not_tried_again,
    apps_start_in_order_and_a_sidecar_ends_last,
    a_start_waits_until_the_pod_is_ready_where_that_is_asked_for,
    a_pod_that_ends_before_it_is_ready_is_a_start_that_failed,
    an_app_that_is_not_well_starts_again,
    a_check_that_hangs_is_ended_and_has_failed,
    what_serves_is_asked_over_the_pods_network,
    a_pod_has_no_more_than_its_time,
    clients_see_what_becomes_of_an_app,
    a_monitor_that_is_killed_between_two_starts_leaves_nothing,
}

/// Runs a pod `web` of one app in the background: a line of the shell, with these flags.
fn web(host: &Host, isolator: &str, flags: &[&str], line: &str) {
    run(host, isolator)
        .args(["--detach", "--name", "web"])
        .args(flags)
        .args([IMAGE, "--", "/bin/sh", "-c", line])
        .run()
        .ok();
}

fn first_app(host: &Host) -> Value {
    status(host, "web")["apps"][0].clone()
}

fn await_app(host: &Host, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_until(what, LIMIT, || {
        Some(first_app(host)).filter(|app| is_so(app))
    })
}

fn stop(host: &Host) {
    host.fairing(["stop", "-t", "1", "web"]).limit(LIMIT).run();
    host.fairing(["rm", "web"]).run().ok();
}

fn an_app_that_fails_starts_again_at_once_and_then_waits(isolator: &str) {
    let host = busybox();
    web(&host, isolator, &["--restart=always"], "echo begun; exit 3");
    let app = await_app(&host, "it waits", |app| app["state"] == "backing-off");
    assert_eq!(app["restarts"], 1, "{app}");
    assert_eq!(app["last-end"]["outcome"]["code"], 3, "{app}");
    assert!(app["next-start"].is_string(), "{app}");
    let log = host.fairing(["logs", "web"]).run().ok();
    assert_eq!(log.text(), "begun\nbegun");
    let again = app["next-start"].as_str().unwrap();
    let told = format!("exit code 3), and starts again at {again}");
    host.fairing(["enter", "web", "--", "true"])
        .run()
        .expect_error(125, &[&told]);
    host.fairing(["attach", "web"])
        .run()
        .expect_error(125, &[&told]);
    for command in ["list", "ps"] {
        let shown = host
            .fairing([command, "--format", "{{.Restarts}} {{.State}}"])
            .run()
            .ok();
        assert_eq!(shown.text(), "1 backing-off");
    }
    // Nothing has to be waited for.
    host.fairing(["stop", "web"]).limit(LIMIT).run().ok();
    host.fairing(["rm", "web"]).run().ok();
}

fn an_app_starts_again_no_more_often_than_was_asked_for(isolator: &str) {
    let host = busybox();
    run(&host, isolator)
        .args([
            "--restart=on-failure:1",
            IMAGE,
            "--",
            "/bin/sh",
            "-c",
            "echo begun; exit 3",
        ])
        .run()
        .expect_code(3)
        .expect_stdout("begun\nbegun");
    run(&host, isolator)
        .args([
            "--restart=on-failure:1",
            IMAGE,
            "--",
            "/bin/sh",
            "-c",
            "echo begun",
        ])
        .run()
        .ok();
}

fn a_pod_that_is_to_come_back_is_not_one_that_is_removed(isolator: &str) {
    let host = busybox();
    run(&host, isolator)
        .args(["--rm", "--restart=always", IMAGE])
        .run()
        .expect_error(2, &["--rm", "--restart"]);
}

fn a_program_that_is_not_there_is_not_tried_again(isolator: &str) {
    let host = busybox();
    run(&host, isolator)
        .args(["--detach", "--restart=always", IMAGE, "--", "/no/such"])
        .run()
        .expect_error(127, &["/no/such"]);
    assert_eq!(host.pod_folders(), []);
}

fn apps_start_in_order_and_a_sidecar_ends_last(isolator: &str) {
    let host = busybox();
    let said = |name: &str, line: &str| format!("echo {name} >>/data/order; {line}");
    let side = "trap 'echo side-ends >>/data/order; exit 0' TERM; while :; do sleep 0.05; done";
    let main = "sleep 0.2; echo main-ends >>/data/order; exit 4";
    let dir = host.base().join("order");
    std::fs::create_dir(&dir).unwrap();
    let volume = "--mount=volume=d,target=/data";
    run(&host, isolator)
        .arg(format!("--volume=d,kind=host,source={}", dir.display()))
        .args([
            IMAGE,
            "--app-name=prepare",
            "--init",
            volume,
            "--",
            "/bin/sh",
            "-c",
        ])
        .arg(said("prepare", "sleep 0.2; echo prepared >>/data/order"))
        .args([
            "---",
            IMAGE,
            "--app-name=side",
            "--sidecar",
            volume,
            "--",
            "/bin/sh",
            "-c",
        ])
        .arg(said("side", side))
        .args([
            "---",
            IMAGE,
            "--app-name=main",
            volume,
            "--",
            "/bin/sh",
            "-c",
        ])
        .arg(said("main", main))
        .run()
        .expect_code(4);
    let order = std::fs::read_to_string(dir.join("order")).unwrap();
    let lines: Vec<&str> = order.lines().filter(|line| *line != "side").collect();
    assert_eq!(
        lines,
        ["prepare", "prepared", "main", "main-ends", "side-ends"]
    );
}

fn a_start_waits_until_the_pod_is_ready_where_that_is_asked_for(isolator: &str) {
    let host = busybox();
    web(
        &host,
        isolator,
        &[
            "--ready-when=healthy",
            "--health-cmd=test -e /ready",
            "--health-interval=1s",
        ],
        &format!("sleep 1.5; touch /ready; {IDLE}"),
    );
    let app = first_app(&host);
    assert_eq!(app["ready"], true, "{app}");
    stop(&host);
}

fn a_pod_that_ends_before_it_is_ready_is_a_start_that_failed(isolator: &str) {
    let host = busybox();
    run(&host, isolator)
        .args(["--detach", "--name=web", "--ready-when=healthy"])
        .args([IMAGE, "--health-cmd=false", "--"])
        .args(["/bin/sh", "-c", "sleep 0.2; exit 5"])
        .run()
        .expect_error(125, &["web", "not ready", "5"]);
    host.fairing(["rm", "web"]).run().ok();
}

fn an_app_that_is_not_well_starts_again(isolator: &str) {
    let host = busybox();
    let flags = [
        "--health-cmd=test ! -e /ill || { echo it is ill; false; }",
        "--health-interval=1s",
        "--health-retries=1",
        "--health-on-failure=restart",
    ];
    web(
        &host,
        isolator,
        &flags,
        &format!("test -e /ill && rm /ill; echo up; {IDLE}"),
    );
    await_app(&host, "it is well", |app| app["ready"] == true);
    host.fairing(["enter", "web", "--", "touch", "/ill"])
        .run()
        .ok();
    // It may be asked before it has removed the file, and is then not well once more.
    let app = await_app(&host, "it has started again", |app| {
        app["restarts"].as_u64() >= Some(1) && app["ready"] == true
    });
    let complaint = app["complaint"].as_str().unwrap();
    assert!(complaint.contains("it is ill"), "{app}");
    stop(&host);
}

fn a_check_that_hangs_is_ended_and_has_failed(isolator: &str) {
    let host = busybox();
    let flags = [
        "--health-cmd=sleep 3600",
        "--health-interval=1s",
        "--health-timeout=1s",
        "--health-retries=1",
    ];
    web(&host, isolator, &flags, &format!("echo up; {IDLE}"));
    let app = await_app(&host, "the check has failed", |app| {
        !app["complaint"].is_null()
    });
    assert_eq!(app["ready"], false, "{app}");
    stop(&host);
}

fn what_serves_is_asked_over_the_pods_network(isolator: &str) {
    let host = busybox();
    let serve = "mkdir /www; echo hi >/www/index.html; httpd -f -p 127.0.0.1:8080 -h /www";
    for check in ["--health-http=:8080/index.html", "--health-tcp=8080"] {
        let flags = ["--ready-when=healthy", check, "--health-interval=1s"];
        web(&host, isolator, &flags, serve);
        assert_eq!(first_app(&host)["ready"], true);
        stop(&host);
    }
    let check = "--health-http=:8080/missing";
    web(&host, isolator, &[check, "--health-interval=1s"], serve);
    let app = await_app(&host, "it is asked", |app| {
        let complaint = app["complaint"].as_str();
        complaint.is_some_and(|complaint| complaint.contains("404"))
    });
    assert_eq!(app["ready"], false, "{app}");
    stop(&host);
}

fn a_pod_has_no_more_than_its_time(isolator: &str) {
    let host = busybox();
    run(&host, isolator)
        .args(["--timeout=1s", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .run()
        .expect_code(124);
}

fn clients_see_what_becomes_of_an_app(isolator: &str) {
    let host = busybox();
    web(
        &host,
        isolator,
        &["--restart=always"],
        &format!("echo up; {IDLE}"),
    );
    wait_log(&host, "web", "up");
    let uuid = status(&host, "web")["uuid"].as_str().unwrap().to_owned();
    let events = ControlClient::connect(&host, &uuid);
    events.ask(&json!({"type": "events"}));
    let happens = || {
        let event = events.receive().expect("something happens");
        event["happening"]["kind"].as_str().unwrap().to_owned()
    };
    host.fairing(["kill", "-9", "web"]).run().ok();
    for expected in ["exited", "not-ready", "started", "ready"] {
        assert_eq!(happens(), expected);
    }
    host.fairing(["kill", "-9", "web"]).run().ok();
    for expected in ["exited", "backing-off", "not-ready"] {
        assert_eq!(happens(), expected);
    }
    stop(&host);
}

fn a_monitor_that_is_killed_between_two_starts_leaves_nothing(isolator: &str) {
    let host = busybox();
    web(&host, isolator, &["--restart=always"], "exit 1");
    await_app(&host, "it waits", |app| app["state"] == "backing-off");
    let pid = status(&host, "web")["monitor-pid"].as_u64().unwrap();
    harness::Process::read(u32::try_from(pid).unwrap())
        .unwrap()
        .kill();
    wait_until("the pod has ended", LIMIT, || {
        (status(&host, "web")["state"] == "exited").then_some(())
    });
    host.fairing(["rm", "web"]).run().ok();
}
