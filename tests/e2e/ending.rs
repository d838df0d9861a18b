//! How a pod in the foreground ends: by its apps, by signals, and by keys.

use std::time::Duration;

use harness::{ImageBuilder, Signal, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, shell, status, wait_log};

#[test]
fn the_pod_goes_on_until_all_apps_have_ended() {
    let host = busybox();
    let second = format!("trap 'echo later; exit 0' USR1; echo up; {IDLE}");
    let running = host
        .fairing(["run", "--name", "two", IMAGE, "--app-name", "first"])
        .args(["--exec", "/bin/true", "---", IMAGE, "--app-name", "second"])
        .args(["--", "/bin/sh", "-c", &second])
        .spawn();
    running.wait_stdout("up");
    wait_until("the end of the first app", Duration::from_secs(10), || {
        (status(&host, "two")["apps"][0]["state"] == "exited").then_some(())
    });
    let live = status(&host, "two");
    assert_eq!(live["state"], "running");
    assert_eq!(live["apps"][1]["state"], "running");
    running.signal(Signal::USR1);
    assert_eq!(running.wait().ok().stdout, "up\nlater\n");
}

#[test]
fn an_app_that_a_real_time_signal_ends_is_an_app_that_has_ended() {
    let host = busybox();
    let killed = ["/bin/sh", "-c", "kill -37 $$"];
    host.fairing(["run", IMAGE, "--"])
        .args(killed)
        .run()
        .expect_code(128 + 37);
}

/// A pod whose second app fails with 9 once the first, which runs `script`, is up.
fn failing_pod(script: &str) -> [String; 15] {
    let first = format!("{script}; touch /dev/shm/up; {IDLE}");
    let second = "until [ -e /dev/shm/up ]; do usleep 5000; done; exit 9";
    [
        IMAGE,
        "--app-name",
        "first",
        "--",
        "/bin/sh",
        "-c",
        &first,
        "---",
        IMAGE,
        "--app-name",
        "second",
        "--",
        "/bin/sh",
        "-c",
        second,
    ]
    .map(str::to_owned)
}

#[test]
fn the_first_failure_ends_the_others_with_their_stop_signal() {
    let host = busybox();
    let output = host
        .fairing(["run", "--name", "pod"])
        .args(failing_pod("trap 'echo asked to end; exit 0' TERM"))
        .run()
        .expect_code(9);
    assert_eq!(output.stdout, "asked to end\n");
    let record = status(&host, "pod");
    assert_eq!(record["exit-code"], 9);
    assert_eq!(record["apps"][0]["exit-code"], 0);
    assert_eq!(record["apps"][1]["exit-code"], 9);
}

#[test]
fn who_does_not_end_is_killed_after_the_grace_period() {
    let host = busybox();
    let output = host
        .fairing(["run", "--name", "pod", "--grace-period", "300ms"])
        .args(failing_pod("trap '' TERM"))
        .run()
        .expect_code(9);
    assert!(output.elapsed >= Duration::from_millis(300), "{output}");
    let record = status(&host, "pod");
    let outcome = &record["apps"][0]["outcome"];
    assert_eq!(outcome["kind"], "signaled");
    assert_eq!(outcome["signal"], 9);
}

#[test]
fn signals_are_passed_on() {
    let host = busybox();
    for (name, signal) in [
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("TERM", Signal::TERM),
    ] {
        let script = format!("trap 'echo got {name}; exit 7' {name}; echo up; {IDLE}");
        let running = shell(&host, &script).spawn();
        running.wait_stdout("up");
        running.signal(signal);
        let output = running.wait().expect_code(7);
        assert_eq!(output.stdout, format!("up\ngot {name}\n"));
    }
}

/// Sends a signal by its number.
fn send(pid: u32, number: i32) {
    let sent = std::process::Command::new("kill")
        .args([format!("-{number}"), pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "signal {number}");
}

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    let host = busybox();
    // Not those of the kernel about the pod's own processes (17), pipes (13) and files (25).
    let numbers: Vec<i32> = [
        4, 5, 6, 7, 8, 11, 14, 16, 18, 20, 21, 22, 23, 24, 26, 27, 28, 29, 30, 31,
    ]
    .into_iter()
    .chain([34, 37, 64])
    .collect();
    let traps: String = numbers
        .iter()
        .map(|number| format!("trap 'echo got {number}.' {number}; "))
        .collect();
    let running = shell(&host, &format!("{traps} echo up; {IDLE}")).spawn();
    running.wait_stdout("up");
    for number in numbers {
        send(running.pid(), number);
        running.wait_stdout(&format!("got {number}.\n"));
    }
    running.signal(Signal::TERM);
    running.wait().expect_code(143);
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn what_the_caller_ignores_does_not_end_the_pod() {
    let host = busybox();
    let script = format!("trap 'echo told; exit 3' USR1; echo up; {IDLE}");
    let running = shell(&host, &script)
        .through("env", ["--ignore-signal=HUP,INT,QUIT,TERM"])
        .spawn();
    running.wait_stdout("up");
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        running.signal(signal);
    }
    // It comes after those.
    running.signal(Signal::USR1);
    assert_eq!(running.wait().expect_code(3).stdout, "up\ntold\n");
}

#[test]
fn the_request_to_end_becomes_the_images_stop_signal() {
    let host = host_with(ImageBuilder::busybox().stop_signal("SIGQUIT"));
    let script = format!("trap 'echo quit; exit 0' QUIT; trap 'exit 1' TERM; echo up; {IDLE}");
    let running = shell(&host, &script).spawn();
    running.wait_stdout("up");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().ok().stdout, "up\nquit\n");
}

#[test]
fn the_stop_signal_can_be_a_real_time_signal() {
    let host = host_with(ImageBuilder::busybox().stop_signal("SIGRTMIN+3"));
    // What systemd takes it for: counted from 34, of which a C library keeps none.
    let script = format!("trap 'echo 37; exit 4' 37; trap 'exit 1' TERM; echo up; {IDLE}");
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "up");
    host.fairing(["stop", &pod]).run().ok();
    assert_eq!(status(&host, &pod)["exit-code"], 4);
    assert_eq!(host.fairing(["logs", &pod]).run().ok().stdout, "up\n37\n");
}

#[test]
fn a_stopped_pod_of_several_apps_has_the_same_exit_code_each_time() {
    let host = busybox();
    let mut codes = Vec::new();
    for round in 0..6 {
        // Who is the first to end differs from time to time.
        let (slow, quick) = if round % 2 == 0 {
            (0.1, 0.0)
        } else {
            (0.0, 0.1)
        };
        let app = |code: u8, nap: f64| {
            format!("trap 'sleep {nap}; exit {code}' TERM; echo up{code}; {IDLE}")
        };
        let pod = host
            .fairing(["run", "--detach", IMAGE, "--app-name", "a", "--"])
            .args(["/bin/sh", "-c", &app(3, slow), "---", IMAGE])
            .args(["--app-name", "b", "--", "/bin/sh", "-c", &app(5, quick)])
            .run()
            .ok();
        let pod = pod.text();
        wait_log(&host, pod, "up3");
        wait_log(&host, pod, "up5");
        host.fairing(["stop", pod]).run().ok();
        let record = status(&host, pod);
        assert_eq!(record["apps"][0]["exit-code"], 3);
        assert_eq!(record["apps"][1]["exit-code"], 5);
        codes.push(record["exit-code"].clone());
    }
    let same = codes.iter().all(|code| *code == codes[0]);
    assert!(same && codes[0] != 0, "{codes:?}");
}

#[test]
fn an_app_that_ignores_the_request_to_end_is_killed_after_the_grace_period() {
    let host = busybox();
    let running = host
        .fairing(["run", "--rm", "--grace-period=300ms", IMAGE, "--"])
        .args(["/bin/sh", "-c"])
        .arg(format!("trap '' TERM; echo up; {IDLE}"))
        .spawn();
    running.wait_stdout("up");
    running.signal(Signal::TERM);
    running.wait().expect_code(137);
}

#[test]
fn control_c_ends_the_app() {
    let host = busybox();
    let script = format!("trap 'echo interrupted; exit 5' INT; echo up; {IDLE}");
    let mut terminal = shell(&host, &script).spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x03");
    terminal.wait().expect_code(5).expect_stdout("interrupted");
}
