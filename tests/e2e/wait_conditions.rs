//! `fairing wait --condition`: states that pods and apps come to be in.

use harness::{Host, Running};

use crate::stocked::{IDLE, IMAGE, busybox, detached};

fn waits(host: &Host, condition: &str, words: &[&str]) -> Running {
    let wait = host.fairing(["wait", "--condition", condition]);
    wait.args(words).spawn()
}

#[test]
fn each_state_of_a_pod_is_awaited_from_its_preparation_to_its_removal() {
    let host = busybox();
    let script = format!("trap 'exit 7' TERM; {IDLE}");
    host.fairing(["prepare", "--name", "web", IMAGE])
        .args(["--", "/bin/sh", "-c", &script])
        .run()
        .ok();
    let reached = |wait: Running| assert_eq!(wait.wait().ok().stdout, "-1\n");
    reached(waits(&host, "created", &["web"]));
    let later = ["running", "paused", "removing", "removed"];
    let [running, paused, removing, removed] = later.map(|state| waits(&host, state, &["web"]));
    let ended = ["stopped", "exited"].map(|state| waits(&host, state, &["web", "-i", "250"]));
    host.fairing(["start", "web"]).run().ok();
    reached(running);
    reached(waits(&host, "running,paused", &["web"]));
    host.fairing(["pause", "web"]).run().ok();
    reached(paused);
    let again = waits(&host, "running", &["web", "--interval=1s"]);
    host.fairing(["resume", "web"]).run().ok();
    reached(again);
    host.fairing(["stop", "web"]).run().ok();
    for wait in ended {
        assert_eq!(wait.wait().ok().stdout, "7\n");
    }
    let never = waits(&host, "running", &["web"]).wait();
    never.expect_error(125, &["pod web", "`running`: it has ended"]);
    host.fairing(["rm", "web"]).run().ok();
    reached(removing);
    reached(removed);
}

#[test]
fn a_stop_is_seen_before_the_end_and_a_pod_that_goes_by_itself_tells_its_code() {
    let host = busybox();
    let script =
        format!("trap 'while [ ! -e /tmp/go ]; do usleep 5000; done; exit 4' TERM; {IDLE}");
    let pod = detached(&host, &["--rm", "--grace-period=1h"], &script);
    let end = waits(&host, "paused,exited", &[&pod]);
    let gone = waits(&host, "removed", &[&pod]);
    let stopping = waits(&host, "stopping", &[&pod]);
    let stop = host.fairing(["stop", &pod]).spawn();
    assert_eq!(stopping.wait().ok().stdout, "-1\n");
    // Who asks only now is told as well.
    assert_eq!(waits(&host, "stopping", &[&pod]).wait().ok().stdout, "-1\n");
    let go = ["enter", &pod, "--", "/bin/touch", "/tmp/go"];
    host.fairing(go).run().ok();
    stop.wait().ok();
    assert_eq!(end.wait().ok().stdout, "4\n");
    assert_eq!(gone.wait().ok().stdout, "-1\n");
}

#[test]
fn the_states_of_an_app_are_awaited_by_its_name() {
    let host = busybox();
    host.fairing(["app", "sandbox", "-d", "--name", "box"])
        .run()
        .ok();
    let add = ["app", "add", "box", IMAGE, "--app-name", "web", "--"];
    let script = "while [ ! -e /tmp/go ]; do usleep 5000; done; exit 9";
    host.fairing(add).args(["/bin/sh", "-c", script]).run().ok();
    let app = |condition| waits(&host, condition, &["--app=web", "box"]);
    assert_eq!(app("created").wait().ok().stdout, "-1\n");
    let [running, exited, removed] = ["running", "exited", "removed"].map(app);
    host.fairing(["app", "start", "box", "web"]).run().ok();
    assert_eq!(running.wait().ok().stdout, "-1\n");
    let go = ["enter", "box", "--", "/bin/touch", "/tmp/go"];
    host.fairing(go).run().ok();
    assert_eq!(exited.wait().ok().stdout, "9\n");
    host.fairing(["app", "rm", "box", "web"]).run().ok();
    assert_eq!(removed.wait().ok().stdout, "-1\n");
    app("running")
        .wait()
        .expect_error(121, &["has no app `web`"]);
    host.fairing(["stop", "box"]).run().ok();
}

#[test]
fn what_can_not_be_awaited_is_refused_by_name() {
    let host = busybox();
    for (condition, why) in [("initialized", "no state"), ("up", "created, exited")] {
        waits(&host, condition, &["web"])
            .wait()
            .expect_error(2, &["--condition", why]);
    }
    waits(&host, "running", &["--interval=soon", "web"])
        .wait()
        .expect_error(2, &["--interval", "250ms"]);
    waits(&host, "running", &["nobody"])
        .wait()
        .expect_error(121, &["nobody"]);
    let ignored = host.fairing(["wait", "--ignore", "nobody"]).run().ok();
    assert_eq!(ignored.stdout, "-1\n");
}
