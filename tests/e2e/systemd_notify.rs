//! What a service manager hears, word by word: of a socket that the test listens at.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{Host, ImageBuilder, Signal};

use crate::stocked::{IDLE, IMAGE, busybox, host_with};

/// Where a service manager listens.
struct Listener(UnixDatagram, std::path::PathBuf);

impl Listener {
    fn new(host: &Host) -> Self {
        let path = host.base().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self(socket, path)
    }

    /// Waits for this line, and gives all that came before it.
    #[track_caller]
    fn wait(&self, wanted: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut bytes = [0; 8192];
        loop {
            let length = self.0.recv(&mut bytes).unwrap_or_else(|error| {
                panic!("{wanted} does not come: {error}; {all:?}");
            });
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            all.extend(text.lines().map(str::to_owned));
            if all.iter().any(|line| line == wanted) {
                return all;
            }
        }
    }
}

#[test]
fn each_step_of_a_pod_is_told() {
    let host = busybox();
    let listener = Listener::new(&host);
    let pod = host
        .fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .env("NOTIFY_SOCKET", &listener.1)
        .spawn();
    let heard = listener.wait("READY=1");
    assert!(
        !heard.iter().any(|line| line.starts_with("MAINPID")),
        "{heard:?}"
    );
    pod.signal(Signal::TERM);
    let heard = listener.wait("EXIT_STATUS=0");
    assert!(heard.iter().any(|line| line == "STOPPING=1"), "{heard:?}");
    pod.wait().ok();
}

#[test]
fn apps_and_what_runs_for_them_are_not_handed_what_is_the_manager_s() {
    let host = busybox();
    let listener = Listener::new(&host);
    let credentials = host.base().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let output = host
        .fairing([
            "run",
            "--rm",
            "--inherit-env",
            IMAGE,
            "--env",
            "NOTIFY_SOCKET",
            "--",
            "env",
        ])
        .env("NOTIFY_SOCKET", &listener.1)
        .env("WATCHDOG_USEC", "60000000")
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .env("SEEN", "yes")
        .run()
        .ok();
    assert!(output.stdout.contains("SEEN=yes"), "{output}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!output.stdout.contains(name), "{output}");
    }
    assert!(!output.stdout.contains("CREDENTIALS"), "{output}");
}

#[test]
fn a_socket_that_is_none_or_that_nobody_reads_keeps_no_pod_from_running() {
    let host = busybox();
    let run = || host.fairing(["run", "--rm", IMAGE, "--", "echo", "hello"]);
    let output = run().env("NOTIFY_SOCKET", "vsock:2:1").run().ok();
    assert_eq!(output.stdout, "hello\n");
    assert!(
        output.stderr.contains("NOTIFY_SOCKET=vsock:2:1"),
        "{output}"
    );
    run().env("NOTIFY_SOCKET", "/no/such/socket").run().ok();
    let full = host.base().join("full");
    let _nobody = UnixDatagram::bind(&full).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"x", &full).is_ok() {}
    run().env("NOTIFY_SOCKET", &full).run().ok();
}

/// A pod of two apps with the probe, ready when both say so; the first does at once, the second runs this script.
fn two(host: &Host, second: &str) -> harness::FairingCommand {
    let script = "/probe notify READY=1; while :; do usleep 5000; done";
    host.fairing(["run", "--rm", "--name", "two", "--ready-when", "notified"])
        .args([IMAGE, "--app-name", "one", "--", "sh", "-c", script])
        .args([
            "---",
            IMAGE,
            "--app-name",
            "two",
            "--read-only",
            "--",
            "sh",
            "-c",
            second,
        ])
}

#[test]
fn a_pod_is_ready_when_each_app_has_said_so() {
    let host = host_with(ImageBuilder::probe());
    let listener = Listener::new(&host);
    let second = "while :; do usleep 5000; done";
    let pod = two(&host, second).env("NOTIFY_SOCKET", &listener.1).spawn();
    let heard = listener.wait("STATUS=starting: two is not ready");
    assert!(!heard.iter().any(|line| line == "READY=1"), "{heard:?}");
    let enter = ["enter", "--app", "two", "two", "--", "/probe", "notify"];
    host.fairing(enter)
        .args(["STATUS=soon", "MAINPID=1", "FDSTORE=1"])
        .run()
        .ok();
    listener.wait("STATUS=starting: two is not ready; two: soon");
    host.fairing(enter).arg("READY=1").run().ok();
    let heard = listener.wait("READY=1");
    for word in ["MAINPID", "FDSTORE"] {
        assert!(
            !heard.iter().any(|line| line.starts_with(word)),
            "{heard:?}"
        );
    }
    pod.signal(Signal::TERM);
    pod.wait().ok();
}

#[test]
fn podman_s_words_for_it_are_understood() {
    let host = host_with(ImageBuilder::probe());
    let run = |words: &[&str], script: &str| {
        let run = host.fairing(["run", "--rm"]).args(words).arg(IMAGE);
        run.args(["--", "sh", "-c", script]).run()
    };
    let seen = run(&["--sdnotify=container"], "echo $NOTIFY_SOCKET").ok();
    assert_eq!(seen.stdout, "/run/host/notify\n");
    let seen = run(&["--sdnotify", "conmon"], "echo [$NOTIFY_SOCKET]").ok();
    assert_eq!(seen.stdout, "[]\n");
    run(&["--sdnotify=healthy"], "true").ok();
}

#[test]
fn who_says_too_much_is_heard_in_doses_and_hurts_nobody() {
    let host = host_with(ImageBuilder::probe());
    let listener = Listener::new(&host);
    let flood = "/probe flood 3; while :; do usleep 5000; done";
    let pod = two(&host, flood).env("NOTIFY_SOCKET", &listener.1).spawn();
    let heard = listener.wait("READY=1");
    assert!(
        !heard.iter().any(|line| line.contains("MAINPID")),
        "{heard:?}"
    );
    // While it goes on: the monitor has no descriptor more, and hears others.
    let status = host
        .fairing(["status", "two", "--format", "json"])
        .run()
        .ok()
        .json();
    let monitor = status["monitor-pid"].to_string();
    let open = std::fs::read_dir(format!("/proc/{monitor}/fd"))
        .unwrap()
        .count();
    assert!(open < 64, "{open}");
    let enter = ["enter", "--app", "one", "two", "--", "/probe", "barrier"];
    host.fairing(enter).run().ok();
    pod.wait_stdout("\n");
    let said: u64 = pod.stdout().trim().parse().unwrap();
    assert!(said < 3000, "{said}");
    pod.signal(Signal::TERM);
    pod.wait().ok();
}
