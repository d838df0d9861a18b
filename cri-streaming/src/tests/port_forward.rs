//! Port-forward, over each framing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::local::{Local, server, server_with};
use crate::client::PortForward;
use crate::http::Framing;
use crate::{Config, Limits, Server};

/// The protocols with streams, and those with channels.
const STREAMS: [(Framing, &str); 3] = [
    (Framing::Spdy, "portforward.k8s.io"),
    (Framing::WebSocket, "SPDY/3.1+portforward.k8s.io"),
    (Framing::WebSocket, "v2.portforward.k8s.io"),
];
const CHANNELS: [(Framing, &str); 3] = [
    (Framing::WebSocket, ""),
    (Framing::WebSocket, "v4.channel.k8s.io"),
    (Framing::WebSocket, "v4.base64.channel.k8s.io"),
];

fn open(
    server: &Server<&'static Local>,
    (framing, protocol): (Framing, &str),
    ports: &[u16],
) -> PortForward {
    let url = server.port_forward((), ports.to_vec()).unwrap();
    let protocols: &[&str] = if protocol.is_empty() {
        &[]
    } else {
        &[protocol]
    };
    let session = PortForward::open(&url, framing, protocols, &[]).unwrap();
    assert_eq!(session.protocol, protocol);
    session
}

/// Serves so many connections, and ends when they have.
fn serve(
    connections: usize,
    serve: impl Fn(TcpStream) + Send + Clone + 'static,
) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let accept = |_| {
            let (socket, serve) = (listener.accept().unwrap().0, serve.clone());
            thread::spawn(move || serve(socket))
        };
        let threads: Vec<_> = (0..connections).map(accept).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    (port, thread)
}

/// Sends back what comes, until its end.
fn echo(mut socket: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = socket.read(&mut buffer) {
        socket.write_all(&buffer[..length]).unwrap();
    }
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / 4096) as u8)
        .collect()
}

#[test]
fn several_connections_to_several_ports_go_side_by_side() {
    let (server, _) = server();
    for protocol in STREAMS {
        let (first, second) = (serve(2, echo), serve(1, echo));
        let mut session = open(&server, protocol, &[]);
        let pairs = [first.0, second.0, first.0].map(|port| session.connect(port).unwrap());
        for (number, pair) in pairs.into_iter().enumerate() {
            session
                .write(pair, format!("hello {number}").as_bytes())
                .unwrap();
        }
        for (number, pair) in pairs.into_iter().enumerate().rev() {
            assert_eq!(
                session.read(pair, 7).unwrap(),
                format!("hello {number}").into_bytes()
            );
        }
        // The end of what is sent arrives, and so does what comes after it.
        for pair in pairs {
            session.write(pair, b"last").unwrap();
            session.end(pair).unwrap();
            assert_eq!(
                session.finish(pair).unwrap(),
                (b"last".to_vec(), String::new())
            );
        }
        first.1.join().unwrap();
        second.1.join().unwrap();
    }
}

#[test]
fn channels_begin_with_their_port_and_carry_bytes_both_ways() {
    let (server, _) = server();
    for protocol in CHANNELS {
        let (first, second) = (serve(1, echo), serve(1, echo));
        let mut session = open(&server, protocol, &[first.0, second.0]);
        for (pair, port) in [(0, first.0), (1, second.0)] {
            session.write(pair, b"hello").unwrap();
            let expected = [&port.to_le_bytes()[..], b"hello"].concat();
            assert_eq!(session.read(pair, 7).unwrap(), expected, "{protocol:?}");
        }
        drop(session);
        first.1.join().unwrap();
        second.1.join().unwrap();
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_an_error_of_its_pair_alone() {
    let (server, _) = server();
    let closed = closed_port();
    let text = format!("error forwarding port {closed}: Connection refused (os error 111)");
    for protocol in STREAMS {
        let (port, thread) = serve(1, echo);
        let mut session = open(&server, protocol, &[]);
        let (bad, good) = (
            session.connect(closed).unwrap(),
            session.connect(port).unwrap(),
        );
        assert_eq!(
            session.finish(bad).unwrap(),
            (Vec::new(), text.clone()),
            "{protocol:?}"
        );
        session.write(good, b"hello").unwrap();
        assert_eq!(session.read(good, 5).unwrap(), b"hello");
        drop(session);
        thread.join().unwrap();
    }
    for protocol in CHANNELS {
        let mut session = open(&server, protocol, &[closed]);
        let (_, error) = session.finish(0).unwrap();
        // The port came before it.
        assert!(error.ends_with(&text), "{error}");
    }
}

#[test]
fn much_is_forwarded_unchanged_both_ways_at_once() {
    let (server, _) = server();
    let bytes = pattern(3 << 20);
    for protocol in [STREAMS[0], STREAMS[1]] {
        let (port, thread) = serve(1, echo);
        let mut session = open(&server, protocol, &[]);
        let pair = session.connect(port).unwrap();
        session.write(pair, &bytes).unwrap();
        session.end(pair).unwrap();
        let (back, error) = session.finish(pair).unwrap();
        assert!(
            back == bytes && error.is_empty(),
            "{protocol:?}: {} {error}",
            back.len()
        );
        thread.join().unwrap();
    }
}

#[test]
fn a_port_that_ends_first_still_gets_what_the_client_sends() {
    let (server, _) = server();
    let (told, hear) = std::sync::mpsc::channel();
    let (port, thread) = serve(1, move |mut socket: TcpStream| {
        socket.write_all(b"bye").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        // The end comes by itself, since the client doesn't tell it.
        socket.read_to_string(&mut text).unwrap();
        told.send(text).unwrap();
    });
    let mut session = open(&server, STREAMS[0], &[]);
    let pair = session.connect(port).unwrap();
    assert_eq!(session.read(pair, 4).unwrap(), b"bye");
    session.write(pair, b"thanks").unwrap();
    assert_eq!(session.finish(pair).unwrap(), (Vec::new(), String::new()));
    assert_eq!(hear.recv().unwrap(), "thanks");
    thread.join().unwrap();
}

#[test]
fn a_client_that_resets_or_leaves_ends_the_connections_to_ports() {
    let (server, _) = server();
    let (port, thread) = serve(2, echo);
    let mut session = open(&server, STREAMS[0], &[]);
    let (first, second) = (
        session.connect(port).unwrap(),
        session.connect(port).unwrap(),
    );
    for pair in [first, second] {
        session.write(pair, b"x").unwrap();
        session.read(pair, 1).unwrap();
    }
    session.reset(first).unwrap();
    session.write(second, b"y").unwrap();
    assert_eq!(session.read(second, 1).unwrap(), b"y");
    drop(session);
    // The port's side sees both ends.
    thread.join().unwrap();
}

/// Ends a connection by a reset as soon as something has come.
fn reset(mut socket: TcpStream) {
    socket.read_exact(&mut [0]).unwrap();
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_connection_that_its_port_resets_ends_alone_and_without_a_text() {
    let (server, _) = server();
    for protocol in STREAMS {
        let (resetting, other) = (serve(1, reset), serve(2, echo));
        let mut session = open(&server, protocol, &[]);
        let (bad, good) = (
            session.connect(resetting.0).unwrap(),
            session.connect(other.0).unwrap(),
        );
        session.write(bad, b"x").unwrap();
        let nothing = (Vec::new(), String::new());
        assert_eq!(session.finish(bad).unwrap(), nothing, "{protocol:?}");
        let next = session.connect(other.0).unwrap();
        for pair in [good, next] {
            session.write(pair, b"hello").unwrap();
            assert_eq!(session.read(pair, 5).unwrap(), b"hello", "{protocol:?}");
        }
        drop(session);
        resetting.1.join().unwrap();
        other.1.join().unwrap();
    }
    for protocol in CHANNELS {
        let (port, thread) = serve(1, reset);
        let mut session = open(&server, protocol, &[port]);
        session.write(0, b"x").unwrap();
        let (_, error) = session.finish(0).unwrap();
        assert!(!error.contains("error"), "{error}");
        thread.join().unwrap();
    }
}

/// A server that ends connections to ports that hold up others after this time.
fn server_that_waits(stalled: Duration) -> Server<&'static Local> {
    let limits = Limits {
        stalled,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    server_with(config).0
}

#[test]
fn a_port_that_takes_nothing_does_not_hold_up_the_others() {
    let server = server_that_waits(Duration::from_millis(500));
    let (until, forever) = mpsc::channel::<()>();
    let forever = std::sync::Arc::new(std::sync::Mutex::new(forever));
    let (stuck, echoing) = (
        serve(1, move |_socket| {
            forever.lock().unwrap().recv().unwrap_err();
        }),
        serve(1, echo),
    );
    let mut session = open(&server, STREAMS[0], &[]);
    let (bad, good) = (
        session.connect(stuck.0).unwrap(),
        session.connect(echoing.0).unwrap(),
    );
    // More than all buffers on the way hold: it ends when that pair does.
    session.write(bad, &pattern(24 << 20)).unwrap();
    session.write(good, b"hello").unwrap();
    assert_eq!(session.read(good, 5).unwrap(), b"hello");
    let nothing = (Vec::new(), String::new());
    assert_eq!(session.finish(bad).unwrap(), nothing);
    drop((session, until));
    stuck.1.join().unwrap();
    echoing.1.join().unwrap();
}

/// Counts what comes, after a pause that is too long for whom others wait.
fn count_late(told: &Sender<usize>, socket: &mut TcpStream) {
    thread::sleep(Duration::from_secs(2));
    let mut bytes = Vec::new();
    // What was lost on the way shows in the count.
    let _ = socket.read_to_end(&mut bytes);
    told.send(bytes.len()).unwrap();
}

#[test]
fn a_port_that_takes_its_time_gets_all_if_nobody_else_waits() {
    let server = server_that_waits(Duration::from_millis(500));
    let (told, hear) = mpsc::channel();
    let (port, thread) = serve(1, move |mut socket| count_late(&told, &mut socket));
    let mut session = open(&server, STREAMS[0], &[]);
    let pair = session.connect(port).unwrap();
    session.write(pair, &pattern(24 << 20)).unwrap();
    session.end(pair).unwrap();
    assert_eq!(session.finish(pair).unwrap(), (Vec::new(), String::new()));
    assert_eq!(hear.recv().unwrap(), 24 << 20);
    thread.join().unwrap();
}

#[test]
fn a_port_that_ends_first_gets_all_however_late_it_takes_it() {
    let (server, _) = server();
    let (told, hear) = mpsc::channel();
    let (port, thread) = serve(1, move |mut socket| {
        socket.write_all(b"bye").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        count_late(&told, &mut socket);
    });
    let mut session = open(&server, STREAMS[0], &[]);
    let pair = session.connect(port).unwrap();
    assert_eq!(session.read(pair, 4).unwrap(), b"bye");
    session.write(pair, &pattern(24 << 20)).unwrap();
    session.end(pair).unwrap();
    assert_eq!(session.finish(pair).unwrap(), (Vec::new(), String::new()));
    assert_eq!(hear.recv().unwrap(), 24 << 20);
    thread.join().unwrap();
}
