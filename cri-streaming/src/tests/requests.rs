//! What is served by a URL, and what isn't.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::local::{Local, server, server_with, wanted};
use crate::client::{ClientError, RemoteCommand};
use crate::http::Framing;
use crate::{Config, Limits, Server};

const V4: &str = "v4.channel.k8s.io";

fn exec(url: &str) -> Result<RemoteCommand, ClientError> {
    RemoteCommand::open(url, Framing::Spdy, &[V4], &["stdout"], &[])
}

fn refused(url: &str) -> u16 {
    match exec(url) {
        Err(ClientError::Refused { status, .. }) => status,
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    }
}

/// The answer to a whole request.
fn ask(server: &Server<&'static Local>, request: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_url_is_good_once_and_for_what_it_was_given() {
    let (server, local) = server();
    let url = server
        .exec("echo hello".into(), wanted(&["stdout"]))
        .unwrap();
    assert!(
        url.starts_with(&format!("http://{}/exec/", server.address())),
        "{url}"
    );
    assert_eq!(exec(&url).unwrap().finish().stdout, b"hello\n");
    assert_eq!(refused(&url), 404);
    let url = server
        .exec("echo hello".into(), wanted(&["stdout"]))
        .unwrap();
    assert_eq!(refused(&url.replace("/exec/", "/attach/")), 404);
    assert_eq!(refused(&url), 404);
    for path in [
        "/",
        "/exec",
        "/exec/",
        "/exec/a/b",
        "/run/abc",
        "/exec/abcdefgh",
    ] {
        assert_eq!(
            refused(&format!("http://{}{path}", server.address())),
            404,
            "{path}"
        );
    }
    assert_eq!(local.started.load(Ordering::Relaxed), 1);
}

#[test]
fn a_request_that_can_not_be_upgraded_leaves_the_url_good() {
    let (server, _) = server();
    let url = server
        .exec("echo hello".into(), wanted(&["stdout"]))
        .unwrap();
    let path = url.split_once("//").unwrap().1.split_once('/').unwrap().1;
    for (head, status) in [
        (format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"), "426 "),
        (
            format!("DELETE /{path} HTTP/1.1\r\nHost: a\r\n\r\n"),
            "405 ",
        ),
        (
            format!(
                "POST /{path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
                 X-Stream-Protocol-Version: v1.portforward.k8s.io\r\n\r\n"
            ),
            "403 ",
        ),
        (format!("GET /{path} HTTP/9\r\n\r\n"), "400 "),
    ] {
        let answer = ask(&server, &head);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head}: {answer}"
        );
    }
    assert_eq!(exec(&url).unwrap().finish().stdout, b"hello\n");
}

#[test]
fn of_fifty_clients_that_race_for_a_url_one_is_served() {
    let (server, local) = server();
    let url = server.exec("echo won".into(), wanted(&["stdout"])).unwrap();
    let race = || {
        let racers: Vec<_> = (0..50)
            .map(|_| {
                let url = url.clone();
                thread::spawn(move || match exec(&url) {
                    Ok(session) => Some(session.finish().stdout),
                    Err(ClientError::Refused { status: 404, .. }) => None,
                    Err(error) => panic!("{error}"),
                })
            })
            .collect();
        racers
            .into_iter()
            .filter_map(|racer| racer.join().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(race(), [b"won\n"]);
    assert_eq!(local.started.load(Ordering::Relaxed), 1);
}

#[test]
fn urls_begin_with_what_the_server_was_told() {
    let config = Config {
        base_url: Some("http://127.0.0.1:1/streams/".into()),
        ..Config::default()
    };
    let (server, _) = server_with(config);
    let url = server
        .exec("echo hello".into(), wanted(&["stdout"]))
        .unwrap();
    let rest = url
        .strip_prefix("http://127.0.0.1:1/streams/exec/")
        .unwrap();
    // As a proxy would hand it on.
    let reachable = format!("http://{}/streams/exec/{rest}", server.address());
    assert_eq!(exec(&reachable).unwrap().finish().stdout, b"hello\n");
}

#[test]
fn who_asks_for_nothing_is_left_in_time() {
    let limits = Limits {
        head: Duration::from_millis(50),
        ..Limits::default()
    };
    let (server, _) = server_with(Config {
        limits,
        ..Config::default()
    });
    for begun in ["", "GET /exec/a HTTP/1.1\r\nHost"] {
        assert!(ask(&server, begun).starts_with("HTTP/1.1 408 "), "{begun}");
    }
}

#[test]
fn who_opens_no_streams_or_sends_nothing_is_left_in_time() {
    let limits = Limits {
        creation: Duration::from_millis(50),
        ..Limits::default()
    };
    let (server, local) = server_with(Config {
        limits,
        ..Config::default()
    });
    let url = server
        .exec("echo hello".into(), wanted(&["stdin", "stdout"]))
        .unwrap();
    let session = exec(&url).unwrap();
    assert!(!session.finish().orderly);
    assert_eq!(local.started.load(Ordering::Relaxed), 0);
    let limits = Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let (server, _) = server_with(Config {
        limits,
        ..Config::default()
    });
    let url = server
        .exec("cat".into(), wanted(&["stdin", "stdout"]))
        .unwrap();
    let streams = ["stdin", "stdout"];
    let session = RemoteCommand::open(&url, Framing::Spdy, &[V4], &streams, &[]).unwrap();
    assert!(!session.finish().orderly);
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let (server, _) = server_with(Config {
        limits,
        ..Config::default()
    });
    let streams = ["stdin", "stdout"];
    let sessions: Vec<_> = (0..2)
        .map(|_| {
            let url = server.exec("cat".into(), wanted(&streams)).unwrap();
            let mut session =
                RemoteCommand::open(&url, Framing::Spdy, &[V4], &streams, &[]).unwrap();
            session.write(b"here").unwrap();
            session.read_until("here").unwrap();
            session
        })
        .collect();
    assert!(ask(&server, "").starts_with("HTTP/1.1 503 "));
    for mut session in sessions {
        session.end_stdin().unwrap();
        assert!(session.finish().orderly);
    }
}

#[test]
fn a_server_that_is_dropped_leaves_its_clients() {
    let (server, _) = server();
    let streams = ["stdin", "stdout"];
    let url = server.exec("cat".into(), wanted(&streams)).unwrap();
    let session = RemoteCommand::open(&url, Framing::Spdy, &[V4], &streams, &[]).unwrap();
    let address = server.address();
    drop(server);
    assert!(!session.finish().orderly);
    assert!(TcpStream::connect(address).is_err());
}
