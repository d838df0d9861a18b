//! Clients that leave a command that goes on.

use std::fs;
use std::process::Command;

use super::exec::open;
use super::local::server;
use crate::http::Framing;

/// What a command says of itself when its client has left.
fn last_words(protocol: (Framing, &str), command: &str, streams: &[&str], input: &[u8]) -> String {
    let (server, _) = server();
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let command = command.replace("FIFO", fifo.to_str().unwrap());
    let mut session = open(&server, protocol, &command, streams);
    session.read_until("ready").unwrap();
    session.write(input).unwrap();
    drop(session);
    // Opening it waits for the command, and reading for its end.
    let words = fs::read_to_string(fifo).unwrap();
    drop(server);
    words
}

#[test]
fn a_command_goes_on_without_its_client_and_what_it_writes_holds_nothing_up() {
    let command = "echo ready; cat > /dev/null; head -c 3000000 /dev/zero; \
                   head -c 300000 /dev/zero >&2; echo done > FIFO";
    for protocol in [
        (Framing::Spdy, "v4.channel.k8s.io"),
        (Framing::WebSocket, "v4.channel.k8s.io"),
    ] {
        let streams = ["stdin", "stdout", "stderr"];
        assert_eq!(
            last_words(protocol, command, &streams, b""),
            "done\n",
            "{protocol:?}"
        );
    }
}

#[test]
fn a_command_gets_what_its_client_sent_before_it_left() {
    let command = "echo ready; sleep 0.2; wc -c > FIFO";
    let protocol = (Framing::WebSocket, "v4.channel.k8s.io");
    let words = last_words(protocol, command, &["stdin", "stdout"], &[7; 100_000]);
    assert_eq!(words, "100000\n");
}

#[test]
fn a_shell_in_a_terminal_ends_when_it_has_nobody_to_read_from() {
    let command = "echo ready; sh; echo done > FIFO";
    let protocol = (Framing::Spdy, "v4.channel.k8s.io");
    let streams = ["stdin", "stdout", "resize"];
    assert_eq!(last_words(protocol, command, &streams, b"true\n"), "done\n");
}
