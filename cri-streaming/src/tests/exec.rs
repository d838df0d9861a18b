//! Exec, over each framing and with each version of its protocol.

use std::thread;
use std::time::Duration;

use super::local::{server, wanted};
use crate::Server;
use crate::client::{Outcome, RemoteCommand};
use crate::http::Framing;
use crate::remote_command::{SPDY_PROTOCOLS, WEBSOCKET_PROTOCOLS};
use crate::tests::local::Local;

pub(super) const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

/// Every framing and protocol there is.
pub(super) fn protocols() -> impl Iterator<Item = (Framing, &'static str)> {
    let spdy = SPDY_PROTOCOLS.into_iter().map(|name| (Framing::Spdy, name));
    spdy.chain(
        WEBSOCKET_PROTOCOLS
            .into_iter()
            .map(|name| (Framing::WebSocket, name)),
    )
}

pub(super) fn open(
    server: &Server<&'static Local>,
    (framing, protocol): (Framing, &str),
    command: &str,
    streams: &[&str],
) -> RemoteCommand {
    let url = server.exec(command.to_owned(), wanted(streams)).unwrap();
    let protocols: &[&str] = if protocol.is_empty() {
        &[]
    } else {
        &[protocol]
    };
    let opened: Vec<_> = match protocol {
        "v2.channel.k8s.io" | "channel.k8s.io" => streams
            .iter()
            .copied()
            .filter(|name| *name != "resize")
            .collect(),
        _ => streams.to_vec(),
    };
    let session = RemoteCommand::open(&url, framing, protocols, &opened, &[]).unwrap();
    assert_eq!(session.protocol, protocol);
    session
}

fn run(server: &Server<&'static Local>, protocol: (Framing, &str), command: &str) -> Outcome {
    open(server, protocol, command, &["stdout", "stderr"]).finish()
}

#[test]
fn output_and_end_of_a_command_are_told_in_every_protocol() {
    let (server, _) = server();
    for protocol in protocols() {
        let outcome = run(&server, protocol, "echo out; echo err >&2");
        let structured = protocol.1.starts_with("v4") || protocol.1.starts_with("v5");
        assert_eq!(outcome.stdout, b"out\n", "{protocol:?}");
        assert_eq!(outcome.stderr, b"err\n", "{protocol:?}");
        assert_eq!(
            outcome.status,
            if structured { SUCCESS } else { "" },
            "{protocol:?}"
        );
        assert!(outcome.orderly, "{protocol:?}");
        let outcome = run(&server, protocol, "exit 7");
        let text = "command terminated with non-zero exit code: exit status 7";
        assert!(outcome.status.contains(text), "{protocol:?}: {outcome:?}");
        assert_eq!(
            outcome.status.starts_with('{'),
            structured,
            "{protocol:?}: {outcome:?}"
        );
        let outcome = run(&server, protocol, "!no such container");
        let text = "Internal error occurred: no such container";
        assert!(outcome.status.contains(text), "{protocol:?}: {outcome:?}");
    }
}

/// Protocols by which a client can say that it sends nothing more.
fn with_an_end_of_input() -> impl Iterator<Item = (Framing, &'static str)> {
    protocols().filter(|(framing, name)| *framing == Framing::Spdy || name.starts_with("v5"))
}

#[test]
fn input_arrives_whole_and_so_does_its_end() {
    let (server, _) = server();
    let bytes: Vec<u8> = (0..2 << 20)
        .map(|at: usize| (at % 251) as u8 ^ (at >> 12) as u8)
        .collect();
    for protocol in with_an_end_of_input() {
        let mut session = open(&server, protocol, "cat", &["stdin", "stdout"]);
        session.write(&bytes).unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        assert!(
            outcome.stdout == bytes,
            "{protocol:?}: {} bytes",
            outcome.stdout.len()
        );
        assert!(outcome.orderly, "{protocol:?}");
    }
    for protocol in protocols() {
        let mut session = open(
            &server,
            protocol,
            "read line; echo \"<$line>\"",
            &["stdin", "stdout"],
        );
        session.write(b"hello\n").unwrap();
        assert_eq!(session.finish().stdout, b"<hello>\n", "{protocol:?}");
    }
}

#[test]
fn much_output_is_whole_before_the_end_is_told() {
    let (server, _) = server();
    let command = "head -c 3000000 /dev/zero; head -c 100000 /dev/zero >&2; exit 3";
    for protocol in protocols() {
        let outcome = run(&server, protocol, command);
        assert_eq!(
            (outcome.stdout.len(), outcome.stderr.len()),
            (3_000_000, 100_000)
        );
        assert!(
            outcome.status.contains("exit status 3"),
            "{protocol:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_command_that_reads_no_input_ends_as_it_would_otherwise() {
    let (server, _) = server();
    for protocol in with_an_end_of_input() {
        let mut session = open(
            &server,
            protocol,
            "exec <&-; echo done",
            &["stdin", "stdout"],
        );
        // Whether all of it could still be sent doesn't matter.
        let _ = session.write(&[7; 300_000]);
        let outcome = session.finish();
        assert_eq!(outcome.stdout, b"done\n", "{protocol:?}");
        assert!(outcome.orderly, "{protocol:?}");
    }
}

#[test]
fn a_signal_is_told_as_shells_tell_it() {
    let (server, _) = server();
    let outcome = run(&server, (Framing::Spdy, "v4.channel.k8s.io"), "kill -9 $$");
    assert!(
        outcome
            .status
            .contains(r#"{"reason":"ExitCode","message":"137"}"#),
        "{outcome:?}"
    );
}

#[test]
fn what_a_command_leaves_behind_does_not_hold_up_its_end() {
    let (server, _) = server();
    let protocol = (Framing::Spdy, "v4.channel.k8s.io");
    // One that is silent, and one that writes as long as it can.
    for left in ["sleep 1000", "exec yes"] {
        let command = format!("{left} & echo $! >&2; exit 4");
        let outcome = run(&server, protocol, &command);
        let pid = String::from_utf8(outcome.stderr.clone()).unwrap();
        // `yes` may have ended by itself, since nobody reads what it writes any more.
        let _ = std::process::Command::new("kill")
            .arg(pid.trim())
            .output()
            .unwrap();
        assert!(
            outcome.status.contains("exit status 4") && outcome.orderly,
            "{left}"
        );
    }
}

#[test]
fn streams_that_were_not_asked_for_are_refused_and_harm_nothing() {
    let (server, _) = server();
    let mut session = open(
        &server,
        (Framing::Spdy, "v4.channel.k8s.io"),
        "cat; echo out",
        &["stdin", "stdout"],
    );
    for name in ["stderr", "resize", "stdin", "nonsense", ""] {
        session.open_stream(name);
    }
    session.end_stdin().unwrap();
    let outcome = session.finish();
    assert_eq!(
        (outcome.stdout.as_slice(), outcome.status.as_str()),
        (&b"out\n"[..], SUCCESS)
    );
}

#[test]
fn a_client_that_pauses_and_pings_after_the_end_gets_all_of_it() {
    let (server, _) = server();
    let open = |framing| {
        let command = "head -c 2097152 /dev/zero; exit 3";
        open(
            &server,
            (framing, "v4.channel.k8s.io"),
            command,
            &["stdout"],
        )
    };
    let sessions = [Framing::Spdy, Framing::WebSocket].map(open);
    // Longer than a client that has it all may take to leave.
    thread::sleep(Duration::from_secs(11));
    for mut session in sessions {
        session.ping().unwrap();
        let outcome = session.finish();
        assert_eq!(outcome.stdout.len(), 2 << 20);
        assert!(outcome.status.contains("exit status 3"), "{outcome:?}");
        assert!(outcome.orderly);
    }
}
