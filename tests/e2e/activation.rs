//! Socket activation: what a service manager hands to `fairing` is served in the pod.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use harness::{FairingCommand, Host, ImageBuilder};
use serde_json::Value;

use crate::isolator;
use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE, host_with, status};

/// Pods have no network here: `FAIRING_NET` is `none`.
fn probe() -> Host {
    host_with(ImageBuilder::probe())
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A connection, which may wait for as long as nobody serves it.
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).unwrap();
    stream
}

#[track_caller]
fn answer(mut connection: impl Read) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

/// `fairing run` of one app that answers so many connections.
fn serve(host: &Host, flags: &[&str], who: &str, count: usize) -> FairingCommand {
    let run = host.fairing(["run"]).args(flags).arg(IMAGE);
    run.args(["--", "/probe", "serve", who, &count.to_string()])
}

/// The processes that have this socket, by the members of `status` that name them.
fn holders(pod: &Value, socket: &impl AsRawFd) -> Vec<&'static str> {
    let own = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let own = fs::read_link(own).unwrap();
    let pids = [
        ("monitor", &pod["monitor-pid"]),
        ("init", &pod["init-pid"]),
        ("app", &pod["apps"][0]["pid"]),
    ];
    let has_it = |pid: &Value| {
        let mut links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        links.any(|link| fs::read_link(link.unwrap().path()).is_ok_and(|target| target == own))
    };
    let holders = pids.into_iter().filter(|(_, pid)| has_it(pid));
    holders.map(|(name, _)| name).collect()
}

#[test]
fn sockets_are_served_in_a_pod_without_network() {
    let host = probe();
    let (tcp, address) = listen();
    let path = host.base().join("web.sock");
    let unix = UnixListener::bind(&path).unwrap();
    // They wait until the pod is there.
    let waiting = connect(&address);
    let nearby = UnixStream::connect(&path).unwrap();
    let output = host
        .fairing(["run", "--rm", "--net=none", IMAGE, "--user", "app"])
        .args(["--", "/probe", "serve", "web", "2"])
        .with_sockets([
            ("http", OwnedFd::from(tcp)),
            ("admin.socket", OwnedFd::from(unix)),
        ])
        .run()
        .ok();
    assert_eq!(output.stdout, "web has 3 http\nweb has 4 admin.socket\n");
    assert_eq!(answer(waiting), "web at http\n");
    assert_eq!(answer(nearby), "web at admin.socket\n");
}

#[test]
fn each_app_gets_the_sockets_of_its_name_and_the_first_all_others() {
    let host = probe();
    let sockets: [_; 4] = std::array::from_fn(|_| listen());
    let connections: Vec<_> = sockets.iter().map(|(_, at)| connect(at)).collect();
    let mut listeners = sockets.into_iter().map(|(listener, _)| listener);
    let names = ["db", "web.socket", "web", "db"];
    let handed = names.map(|name| (name, listeners.next().unwrap()));
    let probe = |who, count| ["--", "/probe", "serve", who, count];
    let output = host
        .fairing(["run", "--rm", IMAGE, "--app-name", "web"])
        .args(probe("WEB", "2"))
        .args(["---", IMAGE, "--app-name", "db"])
        .args(probe("DB", "2"))
        .args(["---", IMAGE, "--app-name", "log", "--exec", "/probe"])
        .args(["--", "descriptors"])
        .with_sockets(handed)
        .run()
        .ok();
    let answers: Vec<String> = connections.into_iter().map(answer).collect();
    assert_eq!(
        answers,
        [
            "DB at db\n",
            "WEB at web.socket\n",
            "WEB at web\n",
            "DB at db\n"
        ]
    );
    for line in [
        "WEB has 3 web.socket",
        "WEB has 4 web",
        "DB has 3 db",
        "DB has 4 db",
    ] {
        assert!(output.stdout.lines().any(|l| l == line), "{line}\n{output}");
    }
    let nothing = "[descriptors]\n0 = /dev/null\n1 = pipe\n2 = pipe\n\n";
    assert!(output.stdout.contains(nothing), "{output}");
}

#[test]
fn a_pod_in_the_background_has_sockets_too_and_nobody_else_keeps_them() {
    let host = probe();
    let path = host.base().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let kept = listener.try_clone().unwrap();
    let pod = serve(&host, &["--detach"], "web", 2)
        .with_sockets([("http", listener)])
        .run()
        .ok();
    let running = status(&host, pod.text());
    assert_eq!(holders(&running, &kept), ["app"]);
    drop(kept);
    for _ in 0..2 {
        assert_eq!(answer(UnixStream::connect(&path).unwrap()), "web at http\n");
    }
    // With the app, which was the last to have it, the socket ends.
    host.fairing(["status", "--wait", pod.text()]).run().ok();
    let refused = UnixStream::connect(&path).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_prepared_pod_gets_the_sockets_that_its_start_is_given() {
    let host = probe();
    let (listener, address) = listen();
    let unused = UnixDatagram::unbound().unwrap();
    let pod = host
        .fairing(["prepare", IMAGE, "--", "/probe", "serve", "web", "1"])
        .with_sockets([("unused", unused)])
        .run()
        .ok();
    let connection = connect(&address);
    host.fairing(["run-prepared", "--rm", pod.text()])
        .with_sockets([("http", listener)])
        .run()
        .ok()
        .expect_stdout("web has 3 http\n");
    assert_eq!(answer(connection), "web at http\n");
}

#[test]
fn the_next_start_serves_who_came_in_between() {
    let host = probe();
    let (listener, address) = listen();
    for round in ["first", "second", "third"] {
        let connection = connect(&address);
        serve(&host, &["--rm"], round, 1)
            .with_sockets([("http", listener.try_clone().unwrap())])
            .run()
            .ok();
        assert_eq!(answer(connection), format!("{round} at http\n"));
    }
}

#[test]
fn many_sockets_and_what_is_none_arrive_in_order() {
    let host = probe();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"by a pipe\n").unwrap();
    drop(writer);
    let sockets = (0..70).map(|_| ("udp", UnixDatagram::unbound().unwrap().into()));
    let handed = [("fifo", reader.into())].into_iter().chain(sockets);
    let script = "cat <&3; echo $LISTEN_FDS; exec /probe descriptors";
    let output = host
        .fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c", script])
        .with_sockets::<OwnedFd>(handed)
        .run()
        .ok();
    let mut expected =
        "by a pipe\n71\n[descriptors]\n0 = /dev/null\n1 = pipe\n2 = pipe\n3 = pipe\n".to_owned();
    (4..74).for_each(|number| expected.push_str(&format!("{number} = socket\n")));
    assert_eq!(output.stdout, expected + "\n");
}

#[test]
fn a_command_that_enters_gets_no_sockets() {
    let host = probe();
    let (listener, _) = listen();
    let pod = host
        .fairing(["run", "--detach", IMAGE, "--", "/bin/sh", "-c", IDLE])
        .with_sockets([("http", listener)])
        .run()
        .ok();
    let enter = |arguments: &[&str]| {
        let enter = host.fairing(["enter"]).args(arguments);
        enter.args([pod.text(), "--", "/probe", "descriptors", "environment"])
    };
    // Not even its own.
    let (own, _) = listen();
    let output = enter(&[]).with_sockets([("own", own)]).run().ok();
    output
        .clone()
        .expect_stdout("0 = pipe\n1 = pipe\n2 = pipe\n\n");
    assert!(!output.stdout.contains("LISTEN_"), "{output}");
    enter(&["--env", "LISTEN_FDS=1"])
        .run()
        .expect_error(2, &["LISTEN_FDS"]);
    host.fairing(["stop", "--force", pod.text()]).run().ok();
}

#[test]
fn sockets_for_another_process_reach_nobody() {
    let image = ImageBuilder::probe().env("LISTEN_FDS", "1");
    let host = host_with(image.env("LISTEN_PID", "2"));
    let run = [
        "run",
        "--rm",
        IMAGE,
        "--",
        "/probe",
        "descriptors",
        "environment",
    ];
    for (count, pid) in [("1", "1"), ("nonsense", "$PPID")] {
        let (listener, _) = listen();
        let output = host
            .fairing(run)
            .with_announced(count, pid, [listener])
            .run()
            .ok();
        output
            .clone()
            .expect_stdout("0 = /dev/null\n1 = pipe\n2 = pipe\n\n");
        assert!(!output.stdout.contains("LISTEN_"), "{output}");
    }
}

#[test]
fn what_is_announced_wrongly_is_refused() {
    let host = probe();
    let refused = |count: &str, pid: &str, names: Option<&str>, parts: &[&str]| {
        let (listener, _) = listen();
        let mut run = serve(&host, &["--rm"], "web", 1);
        if let Some(names) = names {
            run = run.env("LISTEN_FDNAMES", names);
        }
        run.with_announced(count, pid, [listener])
            .run()
            .expect_error(2, parts);
    };
    refused("x", "$$", None, &["LISTEN_FDS=\"x\""]);
    refused("-1", "$$", None, &["LISTEN_FDS=\"-1\""]);
    refused("257", "$$", None, &["LISTEN_FDS", "256"]);
    refused("1", "nobody", None, &["LISTEN_PID=\"nobody\""]);
    refused("1", "$$", Some("a:b"), &["LISTEN_FDNAMES", "2 names"]);
    refused("1", "$$", Some("\u{1b}[2J"), &["LISTEN_FDNAMES", "control"]);
    refused("2", "$$", Some("http:gone"), &["descriptor 4", "gone"]);
    let folder = File::open(host.base()).unwrap();
    serve(&host, &["--rm"], "web", 1)
        .with_sockets([("folder", folder)])
        .run()
        .expect_error(2, &["descriptor 3", "folder"]);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_port_is_handed_over_or_published_and_not_both() {
    let lab = Lab::with_image(ImageBuilder::probe());
    let run = |port: &str, listener: &TcpListener| {
        serve(&lab.host, &["--rm", "--port", port], "web", 1)
            .with_sockets([("http", listener.try_clone().unwrap())])
            .run()
    };
    let listener = lab.machine.listen("0.0.0.0:8080");
    run("8000-8100:9000-9100", &listener).expect_error(125, &["8000-8100/tcp", "\"http\""]);
    run("8080:80", &listener).expect_error(125, &["8080/tcp", "\"http\"", "0.0.0.0:8080/tcp"]);
    assert!(lab.host.pod_folders().is_empty());
    // Beside another port, and where the socket is of another network, they can have both.
    let connection = lab.machine.connect("127.0.0.1:8080").unwrap();
    run("8081:80", &listener).ok();
    assert_eq!(answer(connection), "web at http\n");
    let elsewhere = lab.outside.listen("0.0.0.0:8082");
    let connection = lab.outside.connect("127.0.0.1:8082").unwrap();
    run("8082:80", &elsewhere).ok();
    assert_eq!(answer(connection), "web at http\n");
}

#[test]
fn an_isolator_that_can_not_hand_over_sockets_is_named() {
    let host = probe();
    let folder = isolator::copy(&host);
    let manifest = folder.join("stage1.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"socket-activation\", ", "")).unwrap();
    let stage1 = folder.to_str().unwrap();
    let run = || {
        let run = host.fairing(["run", "--rm", "--stage1", stage1]);
        run.args([IMAGE, "--exec", "/bin/true"])
    };
    run().run().ok();
    let (listener, _) = listen();
    run()
        .with_sockets([("http", listener)])
        .run()
        .expect_error(125, &["socket-activation", "nspawn"]);
}
