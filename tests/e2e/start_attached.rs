//! `fairing start --attach`: a prepared pod, or an app, that is started and seen from its first byte on.

use harness::{Host, Signal};

use crate::stocked::{IMAGE, busybox, status, wait_log};

/// A prepared pod with these flags of its app.
fn prepare(host: &Host, name: &str, flags: &[&str], script: &str) {
    let prepare = host.fairing(["prepare", "--name", name, IMAGE]).args(flags);
    prepare.args(["--", "/bin/sh", "-c", script]).run().ok();
}

#[test]
fn all_that_the_app_writes_is_seen_and_its_exit_code_is_ours() {
    let host = busybox();
    for _ in 0..5 {
        prepare(&host, "web", &[], "echo out; echo err >&2; exit 7");
        let output = host.fairing(["start", "-a", "web"]).run().expect_code(7);
        assert_eq!(output.stdout, "out\n");
        assert!(output.stderr.ends_with("\nerr\n"), "{output}");
        // It has ended for whoever looks next, and its log has it all, too.
        assert_eq!(status(&host, "web")["state"], "exited");
        assert_eq!(
            host.fairing(["logs", "web"]).run().ok().stdout,
            "out\n",
            "the log"
        );
        host.fairing(["rm", "web"]).run().ok();
    }
}

#[test]
fn input_is_ours_where_it_is_asked_for_and_the_app_was_made_with_one() {
    let host = busybox();
    prepare(&host, "cat", &["-i"], "read line; echo \"got $line\"");
    let start = host.fairing(["start", "-ai", "cat"]).stdin("hello\n");
    assert_eq!(start.run().ok().stdout, "got hello\n");
    // Its end is the app's, too.
    prepare(&host, "all", &["-i"], "cat; echo over");
    let start = host.fairing(["start", "-ai", "all"]).stdin("one\ntwo\n");
    assert_eq!(start.run().ok().stdout, "one\ntwo\nover\n");
    prepare(&host, "deaf", &[], "read line; echo \"got $line\"");
    let start = host.fairing(["start", "-i", "deaf"]).stdin("hello\n");
    assert_eq!(start.run().ok().stdout, "got \n");
}

#[test]
fn a_terminal_is_left_by_keys_and_found_again_by_another_start() {
    let host = busybox();
    let script = "stty -echo; stty size; while read line; do echo \"got $line\"; \
         [ \"$line\" = end ] && exit 3; done";
    prepare(&host, "box", &["-it"], script);
    let start = ["start", "-ai", "--detach-keys", "ctrl-x,q", "box"];
    let mut terminal = host.fairing(start).spawn_on_terminal(31, 101);
    terminal.type_keys("hello\r");
    terminal.wait_screen("got hello");
    terminal.type_keys("\x18q");
    terminal.wait().expect_code(0);
    assert_eq!(status(&host, "box")["state"], "running");
    let start = ["start", "--attach", "--interactive", "box"];
    let mut terminal = host.fairing(start).spawn_on_terminal(24, 80);
    terminal.type_keys("again\rend\r");
    terminal.wait_screen("got again");
    terminal.wait().expect_code(3);
}

#[test]
fn signals_go_to_the_app_unless_that_is_switched_off() {
    let host = busybox();
    let script = "trap 'echo int; exit 4' INT; while :; do echo tick; usleep 20000; done";
    prepare(&host, "web", &[], script);
    let start = host.fairing(["start", "-a", "web"]).spawn();
    start.wait_stdout("tick\n");
    start.signal(Signal::INT);
    assert!(start.wait().expect_code(4).stdout.ends_with("int\n"));
    prepare(&host, "other", &[], script);
    let start = ["start", "-a", "--sig-proxy=false", "other"];
    let start = host.fairing(start).spawn();
    start.wait_stdout("tick\n");
    start.signal(Signal::INT);
    assert_eq!(start.wait().signal, Some(2));
    assert_eq!(status(&host, "other")["state"], "running");
    // What runs is attached to.
    let again = host.fairing(["start", "-a", "other"]).spawn();
    again.wait_stdout("tick\n");
    host.fairing(["kill", "-s", "INT", "other"]).run().ok();
    assert!(again.wait().expect_code(4).stdout.ends_with("int\n"));
}

#[test]
fn an_app_of_a_pod_that_stays_is_seen_from_its_start_on_each_time() {
    let host = busybox();
    host.fairing(["run", "-d", "--name", "box", "--lifetime=until-stopped"])
        .args([
            IMAGE,
            "--app-name",
            "web",
            "--",
            "/bin/sh",
            "-c",
            "echo out; exit 5",
        ])
        .args(["---", IMAGE, "--app-name", "db", "--", "/bin/true"])
        .run()
        .ok();
    wait_log(&host, "box", "out");
    host.fairing(["wait", "--app=web", "box"]).run().ok();
    for _ in 0..3 {
        let start = host.fairing(["start", "-a", "--app=web", "box"]);
        assert_eq!(start.run().expect_code(5).stdout, "out\n");
    }
    host.fairing(["start", "-a", "box"])
        .run()
        .expect_error(2, &["several apps", "web, db"]);
    host.fairing(["stop", "box"]).run().ok();
}

#[test]
fn a_start_that_fails_is_told_and_the_pod_stays_prepared() {
    let host = busybox();
    host.fairing(["prepare", "--name", "no", IMAGE, "--", "/nosuch"])
        .run()
        .ok();
    host.fairing(["start", "-a", "no"])
        .run()
        .expect_error(127, &["/nosuch"]);
    assert_eq!(status(&host, "no")["state"], "prepared");
    host.fairing(["start", "-a", "no", "other"])
        .run()
        .expect_error(2, &["one pod at a time"]);
    host.fairing(["start", "--detach-keys=x", "no"])
        .run()
        .expect_error(2, &["--attach"]);
    host.fairing(["start", "-a", "nobody"])
        .run()
        .expect_error(121, &["nobody"]);
    host.fairing(["rm", "no"]).run().ok();
}

#[test]
fn output_that_finds_no_room_is_no_success() {
    let host = busybox();
    prepare(&host, "web", &[], "echo out");
    let full = std::fs::File::options().write(true).open("/dev/full");
    host.fairing(["start", "-a", "web"])
        .stdout_file(full.unwrap())
        .run()
        .expect_error(117, &["standard output", "No space left"]);
}
