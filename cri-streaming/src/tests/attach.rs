//! Attach: the app was there before, and is there afterwards.

use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::exec::SUCCESS;
use super::local::{Local, server, wanted};
use crate::client::RemoteCommand;
use crate::http::Framing;
use crate::{Ended, Process, ProcessControl, ProcessStreams, Server, TerminalSize};

/// An app of which nobody tells the end.
struct App;

impl ProcessControl for App {
    fn resize(&mut self, _: TerminalSize) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn ended(&mut self) -> Option<Ended> {
        None
    }
}

const PROTOCOLS: [(Framing, &str); 2] = [
    (Framing::Spdy, "v4.channel.k8s.io"),
    (Framing::WebSocket, "v5.channel.k8s.io"),
];

/// An app that can be attached to, and its own side.
pub(super) fn app(terminal: bool) -> (Process, UnixStream) {
    let (here, app) = UnixStream::pair().unwrap();
    let streams = match terminal {
        true => ProcessStreams::Terminal(here.into()),
        false => ProcessStreams::Pipes {
            stdin: Some(OwnedFd::from(here.try_clone().unwrap())),
            stdout: Some(here.into()),
            stderr: None,
        },
    };
    (
        Process {
            streams,
            control: Box::new(App),
        },
        app,
    )
}

/// A session with an app, and the app's own side.
fn attach(
    server: &Server<&'static Local>,
    local: &Local,
    (framing, protocol): (Framing, &str),
    terminal: bool,
) -> (RemoteCommand, UnixStream) {
    let (process, app) = app(terminal);
    *local.app.lock().unwrap() = Some(process);
    let names: &[_] = if terminal {
        &["stdin", "stdout", "resize"]
    } else {
        &["stdin", "stdout"]
    };
    let url = server.attach((), wanted(names)).unwrap();
    (
        RemoteCommand::open(&url, framing, &[protocol], names, &[]).unwrap(),
        app,
    )
}

#[test]
fn an_app_is_written_to_and_read_from_until_it_has_no_more_output() {
    let (server, local) = server();
    for protocol in PROTOCOLS {
        let (mut session, mut app) = attach(&server, local, protocol, false);
        session.write(b"to the app").unwrap();
        let mut text = [0; 10];
        app.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"to the app");
        app.write_all(b"from the app").unwrap();
        drop(app);
        let outcome = session.finish();
        assert_eq!(outcome.stdout, b"from the app");
        assert_eq!(outcome.status, SUCCESS);
    }
}

#[test]
fn a_client_that_leaves_takes_nothing_of_the_app_with_it() {
    let (server, local) = server();
    for protocol in PROTOCOLS {
        let (mut session, mut app) = attach(&server, local, protocol, true);
        session.write(b"last").unwrap();
        session.end_stdin().unwrap();
        let mut text = [0; 4];
        app.read_exact(&mut text).unwrap();
        drop(session);
        // The descriptors are closed, and nothing was written that the client didn't write: no
        // end of input for an app to which others may be attached.
        let mut rest = Vec::new();
        app.read_to_end(&mut rest).unwrap();
        assert_eq!((&text, rest.as_slice()), (b"last", &b""[..]));
    }
}

#[test]
fn an_app_that_is_not_there_is_told_of() {
    let (server, _) = server();
    let url = server.attach((), wanted(&["stdout"])).unwrap();
    let (framing, protocol) = PROTOCOLS[0];
    let session = RemoteCommand::open(&url, framing, &[protocol], &["stdout"], &[]).unwrap();
    let status = session.finish().status;
    assert!(
        status.contains("Internal error occurred: the app does not run"),
        "{status}"
    );
}
