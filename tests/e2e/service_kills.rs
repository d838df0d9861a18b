//! What a pod whose apps are looked after comes to when one of its processes is killed, whatever it is doing.

use std::time::Duration;

use harness::{Host, Process, Running, wait_until};
use serde_json::{Value, json};

use crate::changed_manifest::run;
use crate::stocked::{IDLE, IMAGE, busybox, status};

const SOON: Duration = Duration::from_secs(30);

/// What the pod is doing when somebody is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A hook after the start goes on.
    Start,
    /// A probe's command runs, and one over the network waits for its answer.
    Probe,
    /// The app waits to start again.
    Restart,
    /// A hook before the end goes on.
    Stop,
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    App,
    Init,
    Monitor,
}

/// A pod that does it for as long as it is let.
fn doing(host: &Host, what: Doing) -> Running {
    let hang = json!({ "type": "exec", "args": ["/bin/sh", "-c", "echo $$ >/hangs; sleep 3600"] });
    let serve = format!("nc -l -p 9 -s 127.0.0.1 >/dev/null & {IDLE}");
    let line = match what {
        Doing::Restart => "exit 3",
        Doing::Probe => &serve,
        Doing::Start | Doing::Stop => IDLE,
    };
    let words = [
        "--name=web",
        "--net=none",
        IMAGE,
        "--",
        "/bin/sh",
        "-c",
        line,
    ];
    let pod = run(host, &words, |manifest| {
        let app = &mut manifest["apps"][0];
        let slow = |action: &Value| json!({ "action": action, "timeout-seconds": 3600 });
        match what {
            Doing::Start => app["hooks"] = json!({ "post-start": hang }),
            Doing::Stop => app["hooks"] = json!({ "pre-stop": hang }),
            Doing::Restart => app["restart"] = json!({ "policy": "always" }),
            Doing::Probe => {
                let silent = json!({ "type": "http-get", "port": 9 });
                app["probes"] = json!({ "readiness": slow(&silent), "liveness": slow(&hang) });
            }
        }
    });
    let pod = pod.limit(SOON).spawn();
    let app = |host: &Host| status(host, "web")["apps"][0].clone();
    let is_at_it = || match what {
        Doing::Restart => app(host)["state"] == "backing-off",
        Doing::Stop => app(host)["pid"].is_u64(),
        Doing::Start | Doing::Probe => hangs(host),
    };
    let at_it =
        || (host.fairing(["status", "web"]).run().code == Some(0) && is_at_it()).then_some(());
    wait_until("the pod is at it", SOON, at_it);
    pod
}

/// Whether the command that hangs has begun.
fn hangs(host: &Host) -> bool {
    let look = host.fairing(["enter", "web", "--", "test", "-e", "/hangs"]);
    look.run().code == Some(0)
}

fn kill(host: &Host, victim: Victim) {
    let status = status(host, "web");
    let pid = match victim {
        Victim::App => &status["apps"][0]["pid"],
        Victim::Init => &status["init-pid"],
        Victim::Monitor => &status["monitor-pid"],
    };
    let pid = u32::try_from(pid.as_u64().expect("it has a process")).unwrap();
    Process::read(pid).expect("it runs").kill();
}

/// Plays it, and looks at what it has come to. That nothing is left is looked at by the host's end.
fn play(what: Doing, victim: Victim) {
    let host = busybox();
    let pod = doing(&host, what);
    let stop = (what == Doing::Stop).then(|| {
        let stop = host
            .fairing(["stop", "-t", "60", "web"])
            .limit(SOON)
            .spawn();
        wait_until("its hook runs", SOON, || hangs(&host).then_some(()));
        stop
    });
    kill(&host, victim);
    let output = pod.wait();
    if let Some(stop) = stop {
        stop.wait();
    }
    let status = status(&host, "web");
    assert_eq!(status["state"], "exited", "{what:?} {victim:?}: {status}");
    let app = &status["apps"][0];
    match victim {
        Victim::App => {
            assert_eq!(output.code, Some(137), "{what:?} {victim:?}");
            assert_eq!(status["exit-code"], 137, "{what:?} {victim:?}");
            assert_eq!(app["outcome"]["signal"], 9, "{what:?} {victim:?}");
        }
        Victim::Init => assert_eq!(output.code, Some(137), "{what:?} {victim:?}"),
        Victim::Monitor => {
            assert_eq!(output.signal, Some(9), "{what:?} {victim:?}");
            assert!(status["exit-code"].is_null(), "{what:?} {victim:?}");
        }
    }
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn an_app_that_is_killed_has_ended_by_that_whatever_is_asked_of_it() {
    for what in [Doing::Start, Doing::Probe, Doing::Stop] {
        play(what, Victim::App);
    }
}

#[test]
fn a_pod_whose_init_is_killed_has_ended_by_that() {
    for what in [Doing::Start, Doing::Probe, Doing::Restart, Doing::Stop] {
        play(what, Victim::Init);
    }
}

#[test]
fn of_a_pod_whose_monitor_is_killed_nothing_is_left() {
    for what in [Doing::Start, Doing::Probe, Doing::Restart, Doing::Stop] {
        play(what, Victim::Monitor);
    }
}
