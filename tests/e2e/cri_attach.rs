//! What containers run, with its streams.

use std::io::{Read, Write};
use std::net::TcpStream;

use cri_shim::api::ContainerConfig;
use tonic::Code;

use crate::cri_containers::{EXITED, Ground, RUNNING, idle, script};
use crate::cri_streams::{
    PIPES, PROTOCOLS, SUCCESS, TERMINAL, WITH_AN_END, failure, open, pattern, refused,
};

/// A container that says of each line that it has got it, and ends with one that says so.
fn listener(name: &str) -> ContainerConfig {
    let text = "while read line; do echo \"got $line\"; echo \"err $line\" >&2; \
         [ \"$line\" = end ] && exit 4; done; exit 5";
    ContainerConfig {
        stdin: true,
        ..script(name, text)
    }
}

#[test]
fn clients_share_what_a_container_reads_and_writes_and_it_lives_on_without_them() {
    let ground = Ground::new();
    for (protocol, name) in PROTOCOLS.into_iter().zip(["a", "b", "c"]) {
        let id = ground.run(&listener(name));
        let mut first = ground.attach(protocol, &id, &PIPES);
        first.write(b"one\n").unwrap();
        first.read_until("got one\n").unwrap();
        let mut second = ground.attach(protocol, &id, &PIPES);
        // Only what comes from then on is shown.
        second.write(b"two\n").unwrap();
        second.read_until("got two\n").unwrap();
        first.read_until("got two\n").unwrap();
        drop(first);
        let mut third = ground.attach(protocol, &id, &["stdin", "stdout"]);
        third.write(b"three\n").unwrap();
        third.read_until("got three\n").unwrap();
        third.end_stdin().unwrap();
        second.read_until("got three\n").unwrap();
        assert_eq!(ground.status(&id).state, RUNNING);
        second.write(b"end\n").unwrap();
        let outcome = second.finish();
        assert_eq!(outcome.stdout, b"got two\ngot three\ngot end\n");
        assert_eq!(outcome.stderr, b"err two\nerr three\nerr end\n");
        // Its code is told by its status.
        assert_eq!(outcome.status, SUCCESS);
        let outcome = third.finish();
        assert_eq!(outcome.stdout, b"got three\ngot end\n");
        assert_eq!(outcome.stderr, b"");
        assert_eq!(ground.wait_end(&id).exit_code, 4);
        assert!(ground.logged(name).contains("got three"));
    }
}

#[test]
fn the_first_client_that_ends_its_input_ends_that_of_a_container_that_has_it_once() {
    let ground = Ground::new();
    let once = |name: &str| ContainerConfig {
        stdin: true,
        stdin_once: true,
        ..script(name, "cat; echo end; exit 6")
    };
    // Less than what a client may be behind: this one writes all before it reads.
    let bytes = pattern(700_000);
    for (protocol, name) in WITH_AN_END.into_iter().zip(["a", "b"]) {
        let id = ground.run(&once(name));
        let mut session = ground.attach(protocol, &id, &["stdin", "stdout"]);
        session.write(&bytes).unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        let (text, rest) = outcome.stdout.split_at(bytes.len());
        assert!(text == bytes && rest == b"end\n", "{protocol:?}");
        assert_eq!(ground.wait_end(&id).exit_code, 6);
    }
    // Who leaves has ended it, too.
    for (protocol, name) in PROTOCOLS.into_iter().zip(["c", "d", "e"]) {
        let id = ground.run(&once(name));
        let mut session = ground.attach(protocol, &id, &["stdin", "stdout"]);
        session.write(b"hello\n").unwrap();
        session.read_until("hello\n").unwrap();
        drop(session);
        assert_eq!(ground.wait_end(&id).exit_code, 6);
        assert_eq!(ground.logged(name), "hello\nend");
    }
}

#[test]
fn a_container_without_input_is_looked_at_by_those_who_would_write_too() {
    let ground = Ground::new();
    let ticks = "while [ ! -e /go ]; do echo tick; usleep 20000; done; cat; echo end";
    for (protocol, name) in PROTOCOLS.into_iter().zip(["a", "b", "c"]) {
        let id = ground.run(&script(name, ticks));
        let mut session = ground.attach(protocol, &id, &PIPES);
        session.write(b"nobody reads this\n").unwrap();
        session.read_until("tick\n").unwrap();
        ground.sh(&id, "touch /go");
        let outcome = session.finish();
        let text = String::from_utf8(outcome.stdout).unwrap();
        assert!(text.ends_with("tick\nend\n"), "{text}");
        assert_eq!(outcome.status, SUCCESS);
    }
    // One whose input has ended.
    let config = ContainerConfig {
        stdin: true,
        stdin_once: true,
        ..script("d", &format!("cat; {ticks}"))
    };
    let id = ground.run(&config);
    let mut first = ground.attach(WITH_AN_END[0], &id, &["stdin", "stdout"]);
    first.end_stdin().unwrap();
    first.read_until("tick\n").unwrap();
    let mut second = ground.attach(WITH_AN_END[1], &id, &["stdin", "stdout"]);
    second.read_until("tick\n").unwrap();
    ground.sh(&id, "touch /go");
    assert_eq!(second.finish().status, SUCCESS);
}

#[test]
fn a_terminal_is_written_to_resized_and_left() {
    let ground = Ground::new();
    let text = "stty -echo; trap 'stty size' WINCH; echo ready $TERM; \
         while :; do read line && echo \"got $line\"; [ \"$line\" = end ] && exit 3; done";
    for (protocol, name) in PROTOCOLS.into_iter().zip(["a", "b", "c"]) {
        let config = ContainerConfig {
            stdin: true,
            tty: true,
            ..script(name, text)
        };
        let id = ground.run(&config);
        ground.wait_logged(name, "ready xterm");
        let mut session = ground.attach(protocol, &id, &TERMINAL);
        session.resize(132, 50).unwrap();
        session.read_until("50 132").unwrap();
        session.write(b"hello\n").unwrap();
        session.read_until("got hello").unwrap();
        // The end of one client's input is none of the terminal's.
        session.end_stdin().unwrap();
        let mut other = ground.attach(protocol, &id, &TERMINAL);
        other.resize(100, 40).unwrap();
        other.read_until("40 100").unwrap();
        other.write(b"end\n").unwrap();
        session.read_until("got end").unwrap();
        assert_eq!(other.finish().status, SUCCESS);
        assert_eq!(session.finish().status, SUCCESS);
        assert_eq!(ground.wait_end(&id).exit_code, 3);
    }
}

#[test]
fn who_does_not_read_is_told_so_and_holds_nothing_up() {
    let ground = Ground::new();
    let before = ground.descriptors();
    let text = "while [ ! -e /go ]; do echo tick; echo tick >&2; usleep 5000; done; \
         head -c 8000000 /dev/zero; echo written >&2; while [ ! -e /end ]; do usleep 5000; done";
    for (protocol, name) in PROTOCOLS.into_iter().zip(["a", "b", "c"]) {
        let id = ground.run(&script(name, text));
        let mut stuck = ground.attach(protocol, &id, &["stdout", "stderr"]);
        stuck.read_until("tick\n").unwrap();
        let mut other = ground.attach(protocol, &id, &["stderr"]);
        other.read_errors_until("tick\n").unwrap();
        ground.sh(&id, "touch /go");
        other.read_errors_until("written\n").unwrap();
        let outcome = stuck.finish();
        let told = failure(&outcome.status);
        assert!(told.contains("was not read in time"), "{told}");
        assert!(outcome.stdout.len() < 8_000_000);
        assert_eq!(ground.status(&id).state, RUNNING);
        ground.sh(&id, "touch /end");
        assert_eq!(other.finish().status, SUCCESS);
        ground.wait_end(&id);
    }
    ground.wait_descriptors(before);
}

#[test]
fn only_what_runs_is_attached_to_and_as_it_is() {
    let ground = Ground::new();
    let id = ground.create(&listener("a"));
    let code_of = |id: &str, streams: &[&str]| {
        let refused = ground.attach_url(id, streams).unwrap_err();
        refused.code()
    };
    assert_eq!(code_of(&id, &PIPES), Code::FailedPrecondition);
    ground.try_start(&id).unwrap();
    assert_eq!(code_of("unknown", &PIPES), Code::NotFound);
    assert_eq!(code_of(&id, &[]), Code::InvalidArgument);
    // It has no terminal.
    assert_eq!(code_of(&id, &TERMINAL), Code::InvalidArgument);
    let terminal = ground.run(&ContainerConfig {
        tty: true,
        ..idle("b")
    });
    assert_eq!(
        code_of(&terminal, &["stdin", "stdout"]),
        Code::InvalidArgument
    );
    let url = ground.attach_url(&id, &PIPES).unwrap();
    let used = ground.attach_url(&id, &["stdout"]).unwrap();
    drop(open(&used, PROTOCOLS[0], &["stdout"]).unwrap());
    assert_eq!(refused(&used), 404);
    ground.stop(&id, 0).unwrap();
    assert_eq!(ground.status(&id).state, EXITED);
    let told = open(&url, PROTOCOLS[0], &PIPES).unwrap().finish();
    let told = failure(&told.status);
    assert!(told.contains("app a-0 does not run"), "{told}");
    assert_eq!(code_of(&id, &PIPES), Code::FailedPrecondition);
}

#[test]
fn who_breaks_off_in_the_middle_leaves_nothing_behind() {
    let ground = Ground::new();
    let id = ground.run(&listener("a"));
    let before = ground.descriptors();
    for _ in 0..20 {
        let url = ground.attach_url(&id, &PIPES).unwrap();
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        let head = format!(
            "GET /{path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        // A frame that begins, on the way to the container.
        socket.write_all(&[0x82, 0xff, 0, 0]).unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
    }
    ground.wait_descriptors(before);
    let mut session = ground.attach(PROTOCOLS[0], &id, &PIPES);
    session.write(b"end\n").unwrap();
    assert_eq!(session.finish().stdout, b"got end\n");
}
