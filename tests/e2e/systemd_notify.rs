//! What a service manager hears, word by word: of a socket that the test listens at.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{Host, Signal};

use crate::stocked::{IDLE, IMAGE, busybox};

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
        .env("CREDENTIALS_DIRECTORY", "/nowhere")
        .env("SEEN", "yes")
        .run()
        .ok();
    assert!(output.stdout.contains("SEEN=yes"), "{output}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!output.stdout.contains(name), "{output}");
    }
    assert!(!output.stdout.contains("/nowhere"), "{output}");
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
