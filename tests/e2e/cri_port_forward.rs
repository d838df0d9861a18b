//! Ports of sandboxes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use cri_shim::api::{
    ContainerConfig, LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode,
    NamespaceOption,
};
use cri_streaming::client::{ClientError, PortForward};
use cri_streaming::http::Framing;
use harness::{ImageBuilder, wait_until};
use tonic::Code;

use crate::cri_containers::{Ground, SOON, script};
use crate::cri_sandbox;
use crate::cri_streams::{forward, forward_url, pattern};

/// What has a stream for each connection: as many connections to as many ports as a client likes.
const STREAMS: [(Framing, &str); 3] = [
    (Framing::Spdy, "portforward.k8s.io"),
    (Framing::WebSocket, "SPDY/3.1+portforward.k8s.io"),
    (Framing::WebSocket, "v2.portforward.k8s.io"),
];
/// What has channels: one connection to each port that was asked for.
const CHANNELS: (Framing, &str) = (Framing::WebSocket, "v4.channel.k8s.io");

/// A container that sends back what comes to port 7000, and at port 7001 says how much has come when it ends.
fn servers() -> ContainerConfig {
    script(
        "web",
        "nc -ll -p 7000 -e /bin/cat & nc -ll -p 7001 -e /bin/wc -c & wait",
    )
}

/// A sandbox in which both ports are listened on.
fn ground() -> Ground {
    let ground = Ground::new();
    let id = ground.run(&servers());
    wait_until("both servers listen", SOON, || {
        let listening = ground.sh(&id, "netstat -ltn | grep -c ':700[01] ' || true");
        (listening == "2").then_some(())
    });
    ground
}

#[test]
fn several_connections_to_several_ports_go_side_by_side_and_end_each_for_itself() {
    let ground = ground();
    let before = ground.descriptors();
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        let [first, count, second] = [7000, 7001, 7000].map(|port| session.connect(port).unwrap());
        session.write(first, b"to the first").unwrap();
        session.write(second, b"to the second").unwrap();
        session.write(count, &[7; 5000]).unwrap();
        assert_eq!(session.read(second, 13).unwrap(), b"to the second");
        assert_eq!(session.read(first, 12).unwrap(), b"to the first");
        // What comes after the end of what is sent arrives.
        session.end(count).unwrap();
        let (told, error) = session.finish(count).unwrap();
        assert_eq!((&*told, &*error), (&b"5000\n"[..], ""), "{protocol:?}");
        session.write(first, b"more").unwrap();
        session.end(first).unwrap();
        assert_eq!(
            session.finish(first).unwrap(),
            (b"more".to_vec(), String::new())
        );
        session.write(second, b"still").unwrap();
        assert_eq!(session.read(second, 5).unwrap(), b"still");
        // The second is left open: who leaves ends it.
    }
    ground.wait_descriptors(before);
}

#[test]
fn channels_lead_to_the_ports_that_were_asked_for() {
    let ground = ground();
    let mut session = forward(&ground.cri, &ground.sandbox, CHANNELS, &[7000, 7000]);
    for (pair, text) in [(1, b"second"), (0, b"a fir$")] {
        session.write(pair, text).unwrap();
        // Each begins with its port.
        let got = session.read(pair, 2 + text.len()).unwrap();
        let port = 7000_u16.to_le_bytes();
        assert_eq!(got, [&port[..], text].concat());
    }
    drop(session);
    let url = forward_url(&ground.cri, &ground.sandbox, &[]).unwrap();
    let (framing, protocol) = CHANNELS;
    let refused = PortForward::open(&url, framing, &[protocol], &[]);
    assert!(matches!(
        refused,
        Err(ClientError::Refused { status: 400, .. })
    ));
}

#[test]
fn megabytes_go_both_ways_at_once() {
    let ground = ground();
    let bytes = pattern(3 << 20);
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        let pair = session.connect(7000).unwrap();
        session.write(pair, &bytes).unwrap();
        session.end(pair).unwrap();
        let (got, error) = session.finish(pair).unwrap();
        assert!(got == bytes, "{protocol:?}: {} bytes", got.len());
        assert_eq!(error, "");
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_told_of_and_ends_no_session() {
    let ground = ground();
    // One of the host's is none of the sandbox's.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let of_host = listener.local_addr().unwrap().port();
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        for port in [7002, of_host] {
            let pair = session.connect(port).unwrap();
            let (data, error) = session.finish(pair).unwrap();
            assert_eq!(data, b"");
            let told = format!("error forwarding port {port}: ");
            assert!(error.starts_with(&told), "{error}");
            assert!(error.contains("nobody listens"), "{error}");
            assert!(error.contains("Connection refused"), "{error}");
        }
        let pair = session.connect(7000).unwrap();
        session.write(pair, b"still here").unwrap();
        assert_eq!(session.read(pair, 10).unwrap(), b"still here");
    }
    let mut session = forward(&ground.cri, &ground.sandbox, CHANNELS, &[7002]);
    let (_, error) = session.finish(0).unwrap();
    assert!(error.contains("error forwarding port 7002: "), "{error}");
}

#[test]
fn ports_of_a_sandbox_in_the_network_of_the_host_are_the_hosts() {
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        sandbox.linux = Some(LinuxPodSandboxConfig {
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(NamespaceOption {
                    network: NamespaceMode::Node as i32,
                    ..NamespaceOption::default()
                }),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        });
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        for _ in STREAMS {
            let (mut socket, _) = listener.accept().unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            socket.write_all(text.to_uppercase().as_bytes()).unwrap();
        }
    });
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        let pair = session.connect(port).unwrap();
        session.write(pair, b"hello").unwrap();
        session.end(pair).unwrap();
        let got = session.finish(pair).unwrap();
        assert_eq!(got, (b"HELLO".to_vec(), String::new()));
    }
    server.join().unwrap();
}

#[test]
fn who_never_reads_takes_little_memory_and_keeps_no_other_waiting() {
    let ground = Ground::new();
    let id = ground.run(&script(
        "web",
        "nc -ll -p 7000 -e /bin/cat /dev/zero & wait",
    ));
    wait_until("the server listens", SOON, || {
        let listening = ground.sh(&id, "netstat -ltn | grep -c ':7000 ' || true");
        (listening == "1").then_some(())
    });
    let (before, descriptors) = (ground.memory(), ground.descriptors());
    let (mut stuck, mut count) = (Vec::new(), 0);
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        for _ in 0..3 {
            session.connect(7000).unwrap();
            count += 1;
            // One by one: nc keeps few waiting to be taken.
            wait_until("it is connected", SOON, || {
                let script = "ps -o args | grep -c '^/bin/cat' || true";
                (ground.sh(&id, script) == count.to_string()).then_some(())
            });
        }
        stuck.push(session);
    }
    for protocol in STREAMS {
        let mut session = forward(&ground.cri, &ground.sandbox, protocol, &[]);
        let pair = session.connect(7000).unwrap();
        assert!(session.read(pair, 1 << 20).unwrap().len() >= 1 << 20);
    }
    let grown = ground.memory().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB more");
    drop(stuck);
    ground.wait_descriptors(descriptors);
}

#[test]
fn only_ports_of_sandboxes_that_are_ready_are_forwarded() {
    let ground = ground();
    let code_of = |sandbox: &str, ports: &[i32]| {
        let refused = forward_url(&ground.cri, sandbox, ports).unwrap_err();
        refused.code()
    };
    assert_eq!(code_of("unknown", &[80]), Code::NotFound);
    assert_eq!(code_of("", &[80]), Code::InvalidArgument);
    for port in [0, -1, 65536] {
        assert_eq!(code_of(&ground.sandbox, &[80, port]), Code::InvalidArgument);
    }
    let url = forward_url(&ground.cri, &ground.sandbox, &[]).unwrap();
    let (framing, protocol) = STREAMS[0];
    drop(PortForward::open(&url, framing, &[protocol], &[]).unwrap());
    let again = PortForward::open(&url, framing, &[protocol], &[]);
    assert!(matches!(
        again,
        Err(ClientError::Refused { status: 404, .. })
    ));
    // A session outlives its sandbox, and nothing is reached by it any more.
    let mut session = forward(&ground.cri, &ground.sandbox, STREAMS[0], &[]);
    let pair = session.connect(7000).unwrap();
    session.write(pair, b"hello").unwrap();
    assert_eq!(session.read(pair, 5).unwrap(), b"hello");
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    session.finish(pair).unwrap();
    let late = session.connect(7000).unwrap();
    let (_, error) = session.finish(late).unwrap();
    assert!(error.starts_with("error forwarding port 7000: "), "{error}");
    assert_eq!(code_of(&ground.sandbox, &[80]), Code::FailedPrecondition);
}
