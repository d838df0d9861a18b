//! Commands that share a pod, and callers that a pod outlives.

use std::io::Read;
use std::process::Command;
use std::time::Duration;

use harness::{ControlClient, Host, Running, Signal, wait_until};
use pod::control::bounds::{CLIENTS_MAX, CONNECTIONS_MAX};
use serde_json::json;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

#[test]
fn one_session_that_ends_does_not_disturb_another() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let session = || {
        let mut session: Running = host
            .fairing(["exec", "--interactive", &pod, "--", "/bin/cat"])
            .stdin_open()
            .spawn();
        session.write("hello\n");
        session.wait_stdout("hello\n");
        session
    };
    let mut stays = session();
    // One ends by its input, one is killed.
    let mut ends = session();
    ends.close_stdin();
    ends.wait().ok();
    stays.write("one has ended\n");
    stays.wait_stdout("one has ended\n");
    session().kill();
    wait_until("the killed one's command", Duration::from_secs(10), || {
        (host.processes_named("cat").len() == 1).then_some(())
    });
    stays.write("one was killed\n");
    stays.wait_stdout("one was killed\n");
    stays.close_stdin();
    stays.wait().ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_pod_in_the_background_keeps_none_of_the_callers_descriptors() {
    let host = busybox();
    let lock = host.write("lock", "");
    // `flock` hands the descriptor that holds the lock on to the command, and then ends.
    let output = host
        .fairing(["run", "--detach", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .through("flock", [&lock])
        .run()
        .ok();
    let free = Command::new("flock")
        .arg("--nonblock")
        .arg(&lock)
        .arg("true")
        .status();
    assert!(free.unwrap().success(), "the pod holds the caller's lock");
    assert_eq!(status(&host, output.text())["state"], "running");
    host.fairing(["stop", "--force", output.text()]).run().ok();
}

/// Waits until no process of this name is there.
fn wait_gone(host: &Host, name: &str) {
    wait_until("the command's end", Duration::from_secs(10), || {
        host.processes_named(name).is_empty().then_some(())
    });
}

/// Starts a command that naps for long, and waits until it runs.
fn napping(host: &Host, pod: &str, script: &str) -> Running {
    let session = host
        .fairing(["enter", pod, "--", "/bin/sh", "-c"])
        .arg(format!("{script} echo up; sleep 4321; sleep 4321"))
        .spawn();
    session.wait_stdout("up");
    wait_until("the command", Duration::from_secs(10), || {
        (!host.processes_named("sleep").is_empty()).then_some(())
    });
    session
}

#[test]
fn a_command_ends_with_the_client_that_started_it() {
    let host = busybox();
    let pod = detached(&host, &["--grace-period", "300ms"], IDLE);
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let session = napping(&host, &pod, "");
        session.signal(signal);
        wait_gone(&host, "sleep");
        assert_eq!(session.wait().signal, Some(signal.as_raw()));
    }
    // Who does not listen is killed after the pod's grace period.
    napping(&host, &pod, "trap '' TERM;").signal(Signal::TERM);
    wait_gone(&host, "sleep");
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_command_on_a_terminal_ends_with_its_client() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let mut terminal = host
        .fairing(["enter", "-it", &pod, "--", "/bin/sh"])
        .spawn_on_terminal(24, 80);
    terminal.wait_screen("# ");
    terminal.type_keys("sleep 4321\r");
    wait_until("the command", Duration::from_secs(10), || {
        (!host.processes_named("sleep").is_empty()).then_some(())
    });
    drop(terminal);
    wait_gone(&host, "sleep");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_the_caller_ignores_does_not_end_a_session() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for flags in ["--interactive", "-it"] {
        let mut session = host
            .fairing(["enter", flags, &pod, "--", "/bin/cat"])
            .through("env", ["--ignore-signal=HUP,INT,QUIT"])
            .stdin_open()
            .spawn();
        session.write("up\n");
        session.wait_stdout("up");
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
            session.signal(signal);
        }
        session.write("still\n");
        session.wait_stdout("still");
        session.close_stdin();
        session.wait().ok();
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_detached_command_outlives_its_client_and_ends_with_the_pod() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let script = "echo nobody sees it; exec sleep 4321";
    let output = host
        .fairing(["enter", "--detach", &pod, "--", "/bin/sh", "-c", script])
        .run()
        .ok();
    assert_eq!(output.stdout, "");
    let command = wait_until("the command", Duration::from_secs(10), || {
        host.processes_named("sleep").pop()
    });
    host.fairing(["enter", &pod, "--", "/bin/true"]).run().ok();
    assert!(command.is_alive());
    host.fairing(["enter", "--detach", &pod, "--", "/no/such"])
        .run()
        .expect_error(127, &["such"]);
    host.fairing(["stop", "--force", &pod]).run().ok();
    assert!(!command.is_alive());
}

#[test]
fn who_waits_takes_no_place_from_who_stops_the_pod() {
    let host = busybox();
    let pod = detached(&host, &[], &format!("trap 'echo bye; exit 0' TERM; {IDLE}"));
    let waiting: Vec<_> = (0..CLIENTS_MAX)
        .map(|_| {
            let client = ControlClient::connect(&host, &pod);
            client.send(&json!({"type": "wait"}));
            client
        })
        .collect();
    let refused = ControlClient::connect(&host, &pod).ask(&json!({"type": "wait"}));
    assert_eq!(refused["type"], "refused", "{refused}");
    host.fairing(["enter", &pod, "--", "/bin/true"])
        .run()
        .expect_error(125, &["clients of this pod wait"]);
    // Those that ask for nothing are closed where others come.
    let idle: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| ControlClient::connect(&host, &pod))
        .collect();
    assert_eq!(status(&host, &pod)["state"], "running");
    let follower = host.fairing(["logs", "--follow", &pod]).spawn();
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(follower.wait().ok().stdout, "bye\n");
    for client in &waiting {
        assert_eq!(client.receive().unwrap()["type"], "pod-ended");
    }
    drop(idle);
}

#[test]
fn of_many_commands_at_once_each_gets_its_turn_or_is_told_that_there_are_too_many() {
    const MANY: usize = 100;
    let host = busybox();
    for (files, all_run) in [("256", true), ("64", false)] {
        // Fewer files than so many commands take up at once.
        let limited = format!("ulimit -n {files} && exec \"$@\"");
        let pod = host
            .fairing(["run", "--detach", IMAGE, "--", "/bin/sh", "-c", IDLE])
            .through("/bin/sh", ["-c", &limited, "sh"])
            .run()
            .ok();
        let pod = pod.text();
        let script = "echo ran; read line";
        let mut sessions: Vec<_> = (0..MANY)
            .map(|_| {
                let enter = ["enter", "--interactive", pod, "--", "/bin/sh", "-c", script];
                host.fairing(enter).stdin_open().spawn()
            })
            .collect();
        wait_until("an answer for each", Duration::from_secs(60), || {
            let answered = |session: &Running| {
                session.stdout().contains("ran") || session.stderr().contains("too many clients")
            };
            sessions.iter().all(answered).then_some(())
        });
        assert_eq!(status(&host, pod)["state"], "running");
        sessions.iter_mut().for_each(Running::close_stdin);
        let codes = sessions.into_iter().map(|session| session.wait().code);
        let refused = codes.filter(|code| *code == Some(125)).count();
        assert_eq!(refused == 0, all_run, "{refused}");
        assert!(refused < MANY);
        let prompt = Duration::from_secs(10);
        host.fairing(["stop", "--force", pod])
            .limit(prompt)
            .run()
            .ok();
    }
}

#[test]
fn a_session_ends_with_its_command_though_something_else_goes_on_writing() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    let script = "trap '' HUP; yes & yes & yes & yes & sleep 1; exit 3";
    for flags in [&[][..], &["--tty"]] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let session = host
            .fairing(["enter"])
            .args(flags)
            .args([&pod, "--", "/bin/sh", "-c", script])
            .stdout_file(std::os::fd::OwnedFd::from(writer))
            .spawn();
        // Slower than what writes, so that there is always more.
        let slow = std::thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            while reader.read(&mut bytes).unwrap() > 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        session.wait_for(Duration::from_secs(20)).expect_code(3);
        slow.join().unwrap();
    }
    // All that the command itself has written is there.
    for (flags, size) in [(&[][..], 108_894), (&["--tty"], 128_894)] {
        let all = host.fairing(["enter"]).args(flags);
        let all = all.args([&pod, "--", "/bin/sh", "-c", "seq 20000; sleep 1000 &"]);
        let output = all.limit(Duration::from_secs(20)).run().ok();
        assert_eq!(output.stdout.len(), size);
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn signals_end_a_session_on_a_terminal_whose_output_nobody_reads() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    for signal in [Signal::TERM, Signal::INT] {
        let (_reader, writer) = std::io::pipe().unwrap();
        let session = host
            .fairing(["enter", "--tty", &pod, "--", "/bin/sh", "-c", "exec yes"])
            .stdout_file(std::os::fd::OwnedFd::from(writer.try_clone().unwrap()))
            .spawn();
        crate::stuck_output::wait_full(&writer);
        session.signal(signal);
        session
            .wait_for(Duration::from_secs(10))
            .expect_code(128 + signal.as_raw());
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_signal_that_the_runtime_library_would_take_for_a_fault_ends_a_command_the_first_time() {
    let host = busybox();
    let pod = detached(&host, &[], &format!("echo up; {IDLE}"));
    wait_log(&host, &pod, "up");
    for signal in [Signal::SEGV, Signal::BUS] {
        let follower = host.fairing(["logs", "--follow", &pod]).spawn();
        follower.wait_stdout("up");
        follower.signal(signal);
        let output = follower.wait_for(Duration::from_secs(10));
        assert_eq!(output.signal, Some(signal.as_raw()), "{output}");
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn logs_are_followed_though_no_watches_are_left() {
    let host = busybox();
    let script =
        "echo one; read line < /go; echo two; trap 'exit 0' TERM; while :; do usleep 5000; done";
    let pod = detached(&host, &[], &format!("mkfifo /go; {script}"));
    wait_log(&host, &pod, "one");
    // In a user namespace of its own, which may have as many as its limits say: none.
    let limited = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    let follower = host
        .fairing(["logs", "--follow", &pod])
        .through(
            "unshare",
            [
                "--user",
                "--map-root-user",
                "--keep-caps",
                "/bin/sh",
                "-c",
                limited,
                "sh",
            ],
        )
        .spawn();
    follower.wait_stdout("one\n");
    host.fairing(["enter", &pod, "--", "/bin/sh", "-c", "echo > /go"])
        .run()
        .ok();
    follower.wait_stdout("two\n");
    host.fairing(["stop", &pod]).run().ok();
    follower.wait_for(Duration::from_secs(20)).ok();
}
