//! Hooks after the start and before the end of apps.

use std::time::{Duration, Instant};

use harness::{Host, wait_until};
use serde_json::{Value, json};

use crate::changed_manifest::{run, start};
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

const SOON: Duration = Duration::from_secs(20);

fn exec(line: &str) -> Value {
    json!({ "type": "exec", "args": ["/bin/sh", "-c", line] })
}

/// A pod of one app that runs a line of the shell and has these hooks.
fn hooked(host: &Host, line: &str, post_start: Option<Value>, pre_stop: Option<Value>) -> String {
    let words = ["--name=web", "--net=none", "--grace-period=3s", IMAGE];
    let words = [&words[..], &["--", "/bin/sh", "-c", line]].concat();
    start(host, &words, |manifest| {
        set_hooks(manifest, 0, post_start, pre_stop);
    })
}

fn set_hooks(manifest: &mut Value, app: usize, post_start: Option<Value>, pre_stop: Option<Value>) {
    let hooks = &mut manifest["apps"][app]["hooks"];
    *hooks = json!({});
    for (name, hook) in [("post-start", post_start), ("pre-stop", pre_stop)] {
        if let Some(hook) = hook {
            hooks[name] = hook;
        }
    }
}

fn logged(host: &Host) -> Vec<String> {
    let log = host.fairing(["logs", "web"]).run().ok();
    log.text().lines().map(str::to_owned).collect()
}

/// Says when it is asked to end, and does so.
const POLITE: &str = "trap 'echo asked; exit 0' TERM; echo up; while :; do usleep 5000; done";

#[test]
fn a_hook_before_the_end_is_over_before_the_app_is_asked() {
    let host = busybox();
    let hook = exec("echo hook >/proc/1/fd/1 2>/dev/null; touch /hooked; sleep 0.3; touch /done");
    let line = "trap 'test -e /done && echo asked after; exit 0' TERM; echo up; \
        while :; do usleep 5000; done";
    hooked(&host, line, None, Some(hook));
    wait_log(&host, "web", "up");
    host.fairing(["stop", "web"]).run().ok();
    assert_eq!(logged(&host), ["up", "asked after"]);
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn a_hook_that_waits_delays_the_end() {
    let host = busybox();
    let hook = json!({ "type": "sleep", "seconds": 1 });
    hooked(&host, POLITE, None, Some(hook));
    wait_log(&host, "web", "up");
    let begun = Instant::now();
    host.fairing(["stop", "web"]).run().ok();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(logged(&host), ["up", "asked"]);
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn a_hook_may_be_a_request() {
    let host = busybox();
    let serve = "mkdir -p /www/cgi-bin; \
        printf '#!/bin/sh\\ntouch /hooked; echo; echo\\n' >/www/cgi-bin/end; \
        chmod 755 /www/cgi-bin/end; httpd -p 127.0.0.1:80 -h /www; \
        trap 'test -e /hooked && echo hooked; exit 0' TERM; echo up; while :; do usleep 5000; done";
    let get = json!({ "type": "http-get", "port": 80, "path": "/cgi-bin/end" });
    hooked(&host, serve, None, Some(get));
    wait_log(&host, "web", "up");
    host.fairing(["stop", "web"]).run().ok();
    assert_eq!(logged(&host), ["up", "hooked"]);
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn an_app_that_has_ended_by_itself_has_no_hook_before_its_end() {
    let host = busybox();
    let dir = host.base().join("seen");
    std::fs::create_dir(&dir).unwrap();
    let volume = format!("--volume={}:/seen", dir.display());
    let words = ["--net=none", "--userns=host", IMAGE, &volume];
    let words = [&words[..], &["--", "/bin/sh", "-c", "exit 4"]].concat();
    run(&host, &words, |manifest| {
        set_hooks(manifest, 0, None, Some(exec("touch /seen/hook")));
    })
    .run()
    .expect_code(4);
    assert!(!dir.join("hook").exists());
}

#[test]
fn a_hook_that_hangs_is_cut_off_when_the_time_is_up() {
    let host = busybox();
    hooked(&host, POLITE, None, Some(exec("sleep 3600")));
    wait_log(&host, "web", "up");
    host.fairing(["stop", "web"]).run().ok();
    // The signal comes all the same, and a little time for it.
    assert_eq!(logged(&host), ["up", "asked"]);
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn an_app_whose_hook_after_the_start_fails_is_ended_and_starts_again_by_its_policy() {
    let host = busybox();
    let hook = exec("test -e /second || { touch /second; echo not this time; exit 1; }");
    let words = ["--name=web", "--net=none", IMAGE, "--restart=on-failure"];
    let words = [&words[..], &["--", "/bin/sh", "-c", POLITE]].concat();
    start(&host, &words, |manifest| {
        set_hooks(manifest, 0, Some(hook), None);
    });
    let app = wait_until("it has started again", SOON, || {
        let app = status(&host, "web")["apps"][0].clone();
        (app["restarts"] == 1 && app["ready"] == true).then_some(app)
    });
    let complaint = app["complaint"].as_str().unwrap();
    assert!(complaint.starts_with("hook after the start"), "{app}");
    assert!(complaint.contains("not this time"), "{app}");
    host.fairing(["stop", "web"]).run().ok();
    host.fairing(["rm", "web"]).run().ok();
    // Without a policy the pod has failed.
    let words = ["--net=none", IMAGE, "--", "/bin/sh", "-c", POLITE];
    run(&host, &words, |manifest| {
        set_hooks(manifest, 0, Some(exec("exit 7")), None);
    })
    .run()
    .expect_code(1);
}

#[test]
fn a_hook_after_the_start_that_hangs_keeps_nobody_from_stopping_the_pod() {
    let host = busybox();
    let words = ["--name=web", "--net=none", IMAGE, "--", "/bin/sh", "-c"];
    let idle = ["---", IMAGE, "--app-name=late", "--", "/bin/sh", "-c", IDLE];
    let words = [&words[..], &[POLITE], &idle].concat();
    let pod = run(&host, &words, |manifest| {
        set_hooks(manifest, 0, Some(exec("sleep 3600")), None);
    });
    // In the background nobody would hear of it: it is not ready before its hook is over.
    let pod = pod.spawn();
    pod.wait_stdout("up");
    // The next app waits for it.
    assert_eq!(status(&host, "web")["apps"][1]["state"], "created");
    host.fairing(["stop", "web"]).run().ok();
    pod.wait();
    host.fairing(["rm", "web"]).run().ok();
}
