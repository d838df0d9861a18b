//! Clients that mean harm, or don't know better.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::exec::open;
use super::local::{Local, server, server_with, wanted};
use crate::client::{ClientError, PortForward, RemoteCommand};
use crate::http::Framing;
use crate::spdy;
use crate::{Config, Limits, Server};

const V4: &str = "v4.channel.k8s.io";

/// A client that is upgraded and then says whatever it likes.
fn upgraded(server: &Server<&'static Local>, websocket: bool) -> TcpStream {
    let url = server
        .exec("cat; echo out".into(), wanted(&["stdin", "stdout"]))
        .unwrap();
    upgraded_at(server, &url, websocket)
}

fn upgraded_at(server: &Server<&'static Local>, url: &str, websocket: bool) -> TcpStream {
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    let head = match websocket {
        false => format!(
            "POST /{path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
             X-Stream-Protocol-Version: {V4}\r\n\r\n"
        ),
        true => format!(
            "GET /{path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {V4}\r\n\r\n"
        ),
    };
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    socket
}

/// Everything that comes until the end, however it comes.
fn rest(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = socket.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    bytes
}

/// A session that shows that the server still serves.
fn still_serves(server: &Server<&'static Local>) {
    let session = open(server, (Framing::Spdy, V4), "echo fine", &["stdout"]);
    assert_eq!(session.finish().stdout, b"fine\n");
}

#[test]
fn what_breaks_the_protocol_ends_its_connection_alone_and_is_told_so() {
    let (server, _) = server();
    // GOAWAY because of a violation.
    let goaway = [0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    for garbage in [
        &[0x80, 9, 0, 1, 0, 0, 0, 0][..],
        &[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        b"\x80\x03\x00\x01\x00\x00\x00\x0e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00garb",
    ] {
        let mut socket = upgraded(&server, false);
        socket.write_all(garbage).unwrap();
        let answer = rest(socket);
        assert!(answer.ends_with(&goaway), "{garbage:?}: {answer:?}");
    }
    // A close with the code 1002.
    for garbage in [&[0xff; 20][..], &[0x82, 1, 0], &[0x80, 0x80, 0, 0, 0, 0]] {
        let mut socket = upgraded(&server, true);
        socket.write_all(garbage).unwrap();
        let answer = rest(socket);
        let close = answer
            .windows(4)
            .any(|four| four[0] == 0x88 && four[2..] == [0x03, 0xea]);
        assert!(close, "{garbage:?}: {answer:?}");
    }
    still_serves(&server);
}

#[test]
fn a_client_that_closes_websocket_is_answered() {
    let (server, _) = server();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let streams = wanted(&["stdin", "stdout"]);
    let urls = [
        server.exec("cat".into(), streams).unwrap(),
        server.port_forward((), vec![port]).unwrap(),
    ];
    for url in urls {
        let mut socket = upgraded_at(&server, &url, true);
        socket
            .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
            .unwrap();
        let answer = rest(socket);
        assert!(
            answer.ends_with(&[0x88, 2, 0x03, 0xe8]),
            "{url}: {answer:?}"
        );
    }
}

#[test]
fn input_in_the_smallest_frames_before_there_is_a_command_is_bounded_by_what_it_takes() {
    let (server, _) = server();
    let mut socket = upgraded(&server, false);
    let mut client = spdy::Connection::new(spdy::Role::Client, spdy::Limits { streams: 9 });
    client.open(&spdy::Headers::new(&[("streamType", "error")]));
    let stdin = client.open(&spdy::Headers::new(&[("streamType", "stdin")]));
    // That of output never comes, so that the command is not started.
    for _ in 0..400_000 {
        client.send(stdin.unwrap(), &[7]);
    }
    // The end may come while this is still being sent.
    let _ = socket.write_all(client.output());
    let end = loop {
        match socket.read(&mut [0; 4096]) {
            Ok(1..) => {}
            end => break end,
        }
    };
    assert!(
        !end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "all of it was kept"
    );
    still_serves(&server);
}

#[test]
fn half_open_connections_give_way_to_those_that_ask_for_something() {
    let limits = Limits {
        unidentified: 8,
        connections: 12,
        ..Limits::default()
    };
    let (server, _) = server_with(Config {
        limits,
        ..Config::default()
    });
    let mut silent: Vec<_> = (0..40)
        .map(|_| TcpStream::connect(server.address()).unwrap())
        .collect();
    for _ in 0..3 {
        still_serves(&server);
    }
    // The first ones were left long before their time was over.
    silent[0]
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(silent[0].read(&mut [0; 10]).unwrap_or(0), 0);
}

#[test]
fn ten_thousand_streams_are_refused_but_for_a_few() {
    let (server, _) = server();
    let mut session = open(&server, (Framing::Spdy, V4), "cat", &["stdin", "stdout"]);
    for _ in 0..10_000 {
        session.open_stream("stdin");
    }
    session.end_stdin().unwrap();
    assert!(session.finish().orderly);
    let url = server.port_forward((), vec![]).unwrap();
    let protocols = ["portforward.k8s.io"];
    let mut session = PortForward::open(&url, Framing::Spdy, &protocols, &[]).unwrap();
    for number in 0..10_000 {
        let (kind, id) = (["data", "error"][number % 2], format!("{number}"));
        session
            .stream(&[("streamType", kind), ("port", "1"), ("requestID", &id)])
            .unwrap();
    }
    session.flush().unwrap();
    drop(session);
    still_serves(&server);
}

#[test]
fn a_client_that_reads_slowly_holds_up_its_own_command_and_costs_no_memory() {
    let (server, _) = server();
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let before = peak();
    let command = "head -c 200000000 /dev/zero";
    let session = open(&server, (Framing::Spdy, V4), command, &["stdout"]);
    still_serves(&server);
    assert_eq!(session.count().unwrap(), 200_000_000);
    // The clients are in this process too.
    assert!(peak() - before < 20_000, "{} KiB more", peak() - before);
}

/// How many bytes a process has written, when it has stopped to write.
fn written_until_it_waits(pid: &str) -> u64 {
    let written = || {
        let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let mut before = None;
    while before != Some(written()) {
        before = Some(written());
        thread::sleep(Duration::from_millis(500));
    }
    before.unwrap()
}

#[test]
fn a_client_that_reads_late_gets_all_that_a_command_wrote_before_its_end() {
    let (server, _) = server();
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let command = format!(
        "sleep 1000 & echo $$ $! > {}; exec head -c 200000000 /dev/zero",
        pids.display()
    );
    let session = open(&server, (Framing::Spdy, V4), &command, &["stdout"]);
    let pids = loop {
        let pids = fs::read_to_string(&pids).unwrap_or_default();
        if pids.ends_with('\n') {
            break pids;
        }
        thread::yield_now();
    };
    let (pid, left) = pids.trim().split_once(' ').unwrap();
    let written = written_until_it_waits(pid);
    // Buffers of the kernel, and no more than those and a few of ours.
    assert!(written < 32 << 20, "{written}");
    assert!(
        std::process::Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
    // Longer than output may pause after the end: it is the client that does.
    thread::sleep(Duration::from_millis(2500));
    // The file of its process's identifiers was written by the shell that it was.
    let own = pids.len() as u64;
    assert_eq!(session.count().unwrap(), written - own);
    assert!(
        std::process::Command::new("kill")
            .arg(left)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn more_than_a_command_takes_is_not_kept_for_it() {
    let (server, _) = server();
    let url = server
        .exec(
            "sleep 1000 & echo $!; wait".into(),
            wanted(&["stdin", "stdout"]),
        )
        .unwrap();
    let streams = ["stdin", "stdout"];
    let mut session = RemoteCommand::open(&url, Framing::Spdy, &[V4], &streams, &[]).unwrap();
    session.read_until("\n").unwrap();
    let pid = String::from_utf8(session.stdout().to_vec()).unwrap();
    // Buffers of the kernel on both sides and ours are full long before that.
    let sent = session.write_without_waiting(64 << 20).unwrap();
    assert!(sent < 32 << 20, "{sent} bytes were taken");
    assert!(
        std::process::Command::new("kill")
            .arg(pid.trim())
            .status()
            .unwrap()
            .success()
    );
    still_serves(&server);
}

/// How many bytes of the same frame the other side takes, until for a second it takes none.
fn taken(socket: &mut TcpStream, frame: &[u8], most: usize) -> usize {
    let frames = frame.repeat(4096);
    socket
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut taken = 0;
    while taken < most
        && let Ok(length @ 1..) = socket.write(&frames)
    {
        taken += length;
    }
    taken
}

#[test]
fn a_client_that_asks_for_answers_and_reads_none_is_not_heard() {
    let (server, _) = server();
    // Pings. What the kernel takes on both sides is a few MiB.
    let spdy: &[u8] = &[0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1];
    let websocket: &[u8] = &[0x89, 0x84, 0, 0, 0, 0, 1, 2, 3, 4];
    for (is_websocket, ping) in [(false, spdy), (true, websocket)] {
        let mut socket = upgraded(&server, is_websocket);
        assert!(taken(&mut socket, ping, 64 << 20) < 32 << 20);
    }
    let url = server.port_forward((), vec![]).unwrap();
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
    );
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    assert!(taken(&mut socket, spdy, 64 << 20) < 32 << 20);
    still_serves(&server);
}

#[test]
fn a_client_that_ends_its_side_or_resets_the_connection_is_gone() {
    let (server, _) = server();
    for how in [Shutdown::Write, Shutdown::Both] {
        for websocket in [false, true] {
            let socket = upgraded(&server, websocket);
            socket.shutdown(how).unwrap();
            rest(socket);
        }
    }
    still_serves(&server);
}

#[test]
fn heads_that_never_end_are_refused_by_their_size() {
    let (server, _) = server();
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The end may come while this is still being sent.
    let _ = socket.write_all(&[b"GET / HTTP/1.1\r\na: ".to_vec(), vec![b'a'; 20_000]].concat());
    assert!(rest(socket).starts_with(b"HTTP/1.1 431 "));
    still_serves(&server);
}

#[test]
fn waiting_requests_are_bounded_and_the_rpc_is_told() {
    let (server, _) = server();
    for _ in 0..1000 {
        server
            .exec("echo never".into(), wanted(&["stdout"]))
            .unwrap();
    }
    let error = server
        .exec("echo never".into(), wanted(&["stdout"]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "1000 requests for streams wait for their clients already"
    );
    assert!(matches!(
        RemoteCommand::open(
            &format!("http://{}/exec/guess", server.address()),
            Framing::Spdy,
            &[V4],
            &[],
            &[]
        ),
        Err(ClientError::Refused { status: 404, .. })
    ));
}
