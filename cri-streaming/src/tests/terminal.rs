//! Exec in a terminal.

use super::exec::{SUCCESS, open, protocols};
use super::local::server;
use crate::http::Framing;

const STREAMS: [&str; 3] = ["stdin", "stdout", "resize"];

#[test]
fn a_terminal_has_the_size_that_its_client_gives_it() {
    let (server, _) = server();
    let resizing = protocols().filter(|(framing, name)| {
        *framing == Framing::WebSocket || name.starts_with("v4") || name.starts_with("v3")
    });
    for protocol in resizing {
        let command = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done";
        let mut session = open(&server, protocol, command, &STREAMS);
        session.read_until("ready").unwrap();
        session.resize(132, 50).unwrap();
        let outcome = session.finish();
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert!(text.ends_with("50 132\r\n"), "{protocol:?}: {text}");
    }
}

#[test]
fn the_end_of_input_is_the_end_of_what_a_terminal_reads() {
    let (server, _) = server();
    for protocol in [
        (Framing::Spdy, "v4.channel.k8s.io"),
        (Framing::Spdy, "channel.k8s.io"),
        (Framing::WebSocket, "v5.channel.k8s.io"),
    ] {
        let command = "stty -echo; echo ready; test -t 0 && test -t 2 && cat; echo end >&2";
        let mut session = open(&server, protocol, command, &STREAMS);
        session.read_until("ready").unwrap();
        session.write(b"hello\n").unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        assert_eq!(
            outcome.stdout, b"ready\r\nhello\r\nend\r\n",
            "{protocol:?}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_no_size_changes_nothing() {
    let (server, _) = server();
    let protocol = (Framing::WebSocket, "v4.channel.k8s.io");
    let command = "stty rows 7 cols 9; read line; stty size";
    let mut session = open(&server, protocol, command, &STREAMS);
    session.resize_to("{\"Width\":-1}").unwrap();
    session.resize(1, 1).unwrap();
    session.write(b"\n").unwrap();
    let outcome = session.finish();
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(text.contains("7 9"), "{text}");
    assert_eq!(outcome.status, SUCCESS);
}
