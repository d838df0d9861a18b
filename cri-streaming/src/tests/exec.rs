//! Exec, over each framing and with each version of its protocol.

use super::local::{server, wanted};
use crate::Server;
use crate::client::{Outcome, RemoteCommand};
use crate::http::Framing;
use crate::remote_command::{SPDY_PROTOCOLS, WEBSOCKET_PROTOCOLS};
use crate::tests::local::Local;

const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

/// Every framing and protocol there is.
fn protocols() -> impl Iterator<Item = (Framing, &'static str)> {
    let spdy = SPDY_PROTOCOLS.into_iter().map(|name| (Framing::Spdy, name));
    spdy.chain(
        WEBSOCKET_PROTOCOLS
            .into_iter()
            .map(|name| (Framing::WebSocket, name)),
    )
}

fn open(
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
