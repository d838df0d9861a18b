//! `fairing attach`: the streams of an app that runs in the background.

use harness::{Host, Signal};

use crate::stocked::{IMAGE, busybox, detached, status, wait_log};

/// A pod in the background, with these flags of its app.
fn background(host: &Host, flags: &[&str], script: &str) -> String {
    let run = host.fairing(["run", "--detach", IMAGE]).args(flags);
    run.args(["--", "/bin/sh", "-c", script])
        .run()
        .ok()
        .text()
        .to_owned()
}

#[test]
fn several_see_what_an_app_writes_and_get_its_exit_code() {
    let host = busybox();
    let script = "while [ ! -e /tmp/go ]; do echo tick; usleep 20000; done; \
         echo out; echo err >&2; exit 7";
    let pod = detached(&host, &[], script);
    let clients: Vec<_> = (0..3)
        .map(|_| host.fairing(["attach", &pod]).spawn())
        .collect();
    for client in &clients {
        client.wait_stdout("tick\n");
    }
    host.fairing(["enter", &pod, "--", "/bin/touch", "/tmp/go"])
        .run()
        .ok();
    for client in clients {
        let output = client.wait().expect_code(7);
        assert!(output.stdout.ends_with("tick\nout\n"), "{output}");
        assert_eq!(output.stderr, "err\n");
    }
    host.fairing(["status", "--wait", &pod])
        .run()
        .expect_code(0);
    host.fairing(["attach", &pod])
        .run()
        .expect_error(125, &["it has ended"]);
}

#[test]
fn a_terminal_in_the_background_is_taken_up_left_by_keys_and_taken_up_again() {
    let host = busybox();
    let script = "stty -echo; trap 'stty size' WINCH; echo ready; \
         while :; do read line && echo \"got $line\"; [ \"$line\" = end ] && exit 3; done";
    let pod = background(&host, &["-it"], script);
    wait_log(&host, &pod, "ready");
    let mut terminal = host.fairing(["attach", &pod]).spawn_on_terminal(31, 101);
    terminal.wait_screen("31 101");
    terminal.type_keys("hello\r");
    terminal.wait_screen("got hello");
    terminal.resize(50, 132);
    terminal.wait_screen("50 132");
    terminal.type_keys("\x10x\r");
    terminal.wait_screen("got \u{10}x");
    terminal.type_keys("\x10\x11");
    terminal.wait().expect_code(0);
    assert_eq!(status(&host, &pod)["state"], "running");
    // Other keys, and none.
    let mut terminal = host
        .fairing(["attach", "--detach-keys", "ctrl-x,q", &pod])
        .spawn_on_terminal(24, 80);
    terminal.wait_screen("24 80");
    terminal.type_keys("\x10\x11again\r");
    terminal.wait_screen("again");
    terminal.type_keys("\x18q");
    terminal.wait().expect_code(0);
    let mut terminal = host
        .fairing(["attach", "--detach-keys=", &pod])
        .spawn_on_terminal(25, 80);
    terminal.wait_screen("25 80");
    terminal.type_keys("\x10\x11\rend\r");
    terminal.wait().expect_code(3);
    host.fairing(["attach", "--detach-keys", "alt-x", &pod])
        .run()
        .expect_error(2, &["ctrl-p,ctrl-q"]);
}

#[test]
fn input_through_a_pipe_reaches_the_app_which_lives_on_when_it_ends() {
    let host = busybox();
    let pod = background(
        &host,
        &["-i"],
        "while read line; do echo \"got $line\"; done",
    );
    for word in ["one", "two"] {
        let client = host
            .fairing(["attach", &pod])
            .stdin(format!("{word}\n"))
            .spawn();
        client.wait_stdout(&format!("got {word}\n"));
        client.kill();
    }
    let client = host
        .fairing(["attach", "--no-stdin", &pod])
        .stdin("three\n")
        .spawn();
    let other = host.fairing(["attach", &pod]).stdin("four\n").spawn();
    client.wait_stdout("got four\n");
    assert_eq!(client.stdout(), "got four\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
    client.wait().expect_code(137);
    other.wait().expect_code(137);
}

#[test]
fn signals_go_to_the_app_unless_that_is_switched_off() {
    let host = busybox();
    let script = "trap 'echo hup' HUP; trap 'echo int; exit 4' INT; \
         while :; do echo tick; usleep 20000; done";
    let pod = detached(&host, &[], script);
    let alone = host.fairing(["attach", "--sig-proxy=false", &pod]).spawn();
    let client = host.fairing(["attach", &pod]).spawn();
    for client in [&alone, &client] {
        client.wait_stdout("tick\n");
    }
    client.signal(Signal::HUP);
    client.wait_stdout("hup\n");
    alone.signal(Signal::INT);
    assert_eq!(alone.wait().signal, Some(2));
    client.signal(Signal::INT);
    let output = client.wait().expect_code(4);
    assert!(output.stdout.ends_with("int\n"), "{output}");
}

#[test]
fn who_never_reads_is_cut_off_and_the_app_and_others_are_not_held_up() {
    let host = busybox();
    let script = "while [ ! -e /tmp/go ]; do usleep 5000; done; \
         head -c 8000000 /dev/zero | tr '\\0' x; echo; echo done; sleep 1000";
    let pod = detached(&host, &[], script);
    let (_reader, writer) = rustix::pipe::pipe().unwrap();
    let stuck = host.fairing(["attach", &pod]).stdout_file(writer).spawn();
    host.fairing(["enter", &pod, "--", "/bin/touch", "/tmp/go"])
        .run()
        .ok();
    wait_log(&host, &pod, "done\n");
    assert_eq!(status(&host, &pod)["state"], "running");
    let told = stuck.wait();
    told.expect_error(125, &["was not read in time"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
