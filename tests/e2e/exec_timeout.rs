//! Commands in apps that may run for so long only, or go on when nobody waits for them: what a CRI shim asks a monitor for.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use harness::{ControlClient, Host, Process, wait_until};
use serde_json::{Value, json};

use crate::stocked::{IDLE, IMAGE, busybox};

fn start(host: &Host, flags: &[&str]) -> String {
    let run = host.fairing(["run", "--detach"]).args(flags);
    let run = run.args([IMAGE, "--", "/bin/sh", "-c", IDLE]);
    run.run().ok().text().to_owned()
}

fn exec(script: &str, more: Value) -> Value {
    let mut request = json!({"type": "exec", "argv": ["/bin/sh", "-c", script]});
    let members = request.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    request
}

/// Processes of the host's pods that sleep for so long.
fn sleepers(host: &Host, seconds: &str) -> Vec<Process> {
    let mut all = host.processes();
    all.retain(|process| process.command_line.ends_with(&format!("sleep {seconds}")));
    all
}

/// A connection on which a command has begun, and its streams.
fn begun(host: &Host, pod: &str, request: &Value) -> (ControlClient, Vec<File>) {
    let client = ControlClient::connect(host, pod);
    client.send(request);
    let (answer, streams) = client.receive_with_files().unwrap();
    assert_eq!(answer["type"], "exec-started", "{answer}");
    (client, streams)
}

#[test]
fn a_command_whose_time_is_over_is_killed_with_all_that_it_has_started() {
    let host = busybox();
    let script = "trap '' TERM; setsid sleep 1001 & (sleep 1002 &) ; \
                  setsid sh -c 'sleep 1003 & exit' ; sleep 1004";
    let in_pod: &[&[&str]] = &[&[], &["--pid=private"], &["--userns=host"]];
    for flags in in_pod {
        let pod = start(&host, flags);
        let request = exec(script, json!({"timeout-ms": 3000}));
        let (client, mut streams) = begun(&host, &pod, &request);
        wait_until("all sleep", Duration::from_secs(10), || {
            let all = ["1001", "1002", "1003", "1004"];
            all.iter()
                .all(|one| !sleepers(&host, one).is_empty())
                .then_some(())
        });
        let ended = client.receive().unwrap();
        assert_eq!(ended["timed_out"], true, "{ended}");
        assert_eq!(ended["outcome"]["signal"], 9, "{ended}");
        for one in ["1001", "1002", "1003", "1004"] {
            wait_until(one, Duration::from_secs(10), || {
                sleepers(&host, one).is_empty().then_some(())
            });
        }
        // Whatever had its output is gone.
        wait_until("the end of the output", Duration::from_secs(10), || {
            let mut output = String::new();
            streams[1].read_to_string(&mut output).ok()
        });
        // The app lives.
        let (client, _streams) = begun(&host, &pod, &exec("exit 3", json!({"timeout-ms": 60_000})));
        let ended = client.receive().unwrap();
        assert_eq!(
            (&ended["timed_out"], &ended["outcome"]["code"]),
            (&json!(false), &json!(3))
        );
        host.fairing(["stop", "--force", &pod]).run().ok();
    }
}

#[test]
fn what_a_command_leaves_behind_keeps_nobody_waiting() {
    let host = busybox();
    let pod = start(&host, &[]);
    let request = exec(
        "echo said; sleep 1005 & exit 0",
        json!({"timeout-ms": 60_000}),
    );
    let (client, _streams) = begun(&host, &pod, &request);
    let ended = client.receive().unwrap();
    assert_eq!(
        (&ended["timed_out"], &ended["outcome"]["code"]),
        (&json!(false), &json!(0))
    );
    // It has ended in time, so what it has left is the app's.
    assert_eq!(sleepers(&host, "1005").len(), 1);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_command_outlives_its_client_if_that_is_asked_for() {
    let host = busybox();
    let pod = start(&host, &[]);
    let lives = exec("exec sleep 1006", json!({"outlives": true}));
    let (lives, of_first) = begun(&host, &pod, &lives);
    let ends = exec("exec sleep 1007", json!({}));
    let (ends, of_second) = begun(&host, &pod, &ends);
    drop((lives, of_first));
    drop((ends, of_second));
    wait_until("the end of the other", Duration::from_secs(10), || {
        sleepers(&host, "1007").is_empty().then_some(())
    });
    assert_eq!(sleepers(&host, "1006").len(), 1);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
