//! What an app leaves as its last words.

use harness::Host;
use serde_json::{Value, json};

use crate::changed_manifest::start;
use crate::stocked::{IMAGE, busybox, status};

/// The last words of an app that runs a line of the shell.
fn words_of(host: &Host, flags: &[&str], line: &str, policy: &str) -> Value {
    let words = [
        &["--name=web", "--net=none"],
        flags,
        &[IMAGE, "--", "/bin/sh", "-c", line],
    ];
    let path = "/dev/termination-log";
    start(host, &words.concat(), |manifest| {
        manifest["apps"][0]["termination-message"] = json!({ "path": path, "policy": policy });
    });
    host.fairing(["wait", "web"]).run();
    let app = status(host, "web")["apps"][0].clone();
    let text = host.fairing(["status", "web"]).run().ok();
    if let Some(message) = app["message"].as_str() {
        text.expect_stdout(message.lines().next().unwrap());
    }
    host.fairing(["rm", "web"]).run().ok();
    app["message"].clone()
}

#[test]
fn an_app_says_in_a_file_why_it_has_ended() {
    let host = busybox();
    for flags in [&["--userns=host"][..], &[]] {
        let line = "echo no such table >/dev/termination-log; exit 3";
        assert_eq!(words_of(&host, flags, line, "file"), "no such table");
    }
    let line = "echo to the log; exit 3";
    assert_eq!(words_of(&host, &[], line, "file"), Value::Null);
}

#[test]
fn the_end_of_its_log_counts_where_it_has_failed_without_a_word() {
    let host = busybox();
    let policy = "fallback-to-logs-on-error";
    let line = "echo first; echo 'it broke' >&2; exit 3";
    assert_eq!(words_of(&host, &[], line, policy), "first\nit broke");
    let line = "echo first; exit 0";
    assert_eq!(words_of(&host, &[], line, policy), Value::Null);
    let line = "echo first; echo own >/dev/termination-log; exit 3";
    assert_eq!(words_of(&host, &[], line, policy), "own");
}

#[test]
fn last_words_that_are_long_or_do_harm_are_cut() {
    let host = busybox();
    let line = "yes 'a b' | head -c 1000000 >/dev/termination-log; exit 3";
    let words = words_of(&host, &[], line, "file");
    assert_eq!(words.as_str().unwrap().len(), 4095);
    let line = "printf 'a\\033[31mb\\nc' >/dev/termination-log; exit 3";
    assert_eq!(words_of(&host, &[], line, "file"), "a[31mb\nc");
}
