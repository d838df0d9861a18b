//! Probes asked as pod init asks them, and servers that answer.

use std::io::{Read, Write};
use std::net::TcpListener;

use nix::poll::{PollFd, PollTimeout, poll};
use pod::manifest::{HttpGetAction, ProbeAction, Scheme};

use super::*;

/// Longer than any server here takes, on a machine that has much else to do.
const PATIENCE_MS: u64 = 120_000;

fn tcp(port: u16) -> ProbeAction {
    ProbeAction::TcpSocket { port, host: None }
}

fn http(port: u16) -> ProbeAction {
    ProbeAction::HttpGet(HttpGetAction {
        port,
        path: String::new(),
        host: None,
        scheme: Scheme::Http,
        headers: Vec::new(),
    })
}

/// Asks as pod init does.
fn ask(action: ProbeAction, timeout_ms: u64) -> ProbeOutcome {
    let mut probes = Probes::default();
    let spec = ProbeSpec {
        id: 7,
        action,
        timeout_ms,
    };
    if let Some(outcome) = probes.begin(&spec, Instant::now()) {
        return outcome;
    }
    loop {
        let mut fds: Vec<_> = probes
            .interests()
            .into_iter()
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        let left = probes
            .deadline()
            .unwrap()
            .saturating_duration_since(Instant::now());
        let left = left + Duration::from_millis(1);
        poll(&mut fds, PollTimeout::try_from(left).unwrap()).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
        let mut over = probes.advance(&ready);
        over.extend(probes.give_up_overdue(Instant::now()));
        if let Some((id, outcome)) = over.pop() {
            assert_eq!((id, probes.interests().len()), (7, 0));
            return outcome;
        }
    }
}

fn answering(answer: &'static [u8]) -> (u16, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut some = [0; 512];
        while !asked.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut some).unwrap();
            asked.extend(&some[..count]);
        }
        stream.write_all(answer).unwrap();
        asked
    });
    (port, server)
}

#[test]
fn a_port_that_somebody_listens_on_is_well_and_one_that_nobody_does_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(ask(tcp(port), PATIENCE_MS), ProbeOutcome::Passed);
    drop(listener);
    let ProbeOutcome::Failed { reason } = ask(tcp(port), PATIENCE_MS) else {
        panic!("nobody listens");
    };
    assert!(reason.contains("refused"), "{reason}");
}

#[test]
fn a_server_says_by_its_status_whether_it_is_well() {
    let (port, server) = answering(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(ask(http(port), PATIENCE_MS), ProbeOutcome::Passed);
    let asked = String::from_utf8(server.join().unwrap()).unwrap();
    assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
    let (port, server) = answering(b"HTTP/1.1 503 Busy\r\n\r\n");
    let busy = ProbeOutcome::Failed {
        reason: "the status is 503".to_owned(),
    };
    assert_eq!(ask(http(port), PATIENCE_MS), busy);
    server.join().unwrap();
}

#[test]
fn a_server_that_never_answers_is_waited_for_no_longer_than_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let late = failed("there was no answer in time");
    assert_eq!(ask(http(port), 50), late);
}

fn get(port: u16, path: &str, scheme: Scheme) -> ProbeAction {
    ProbeAction::HttpGet(HttpGetAction {
        port,
        path: path.to_owned(),
        host: None,
        scheme,
        headers: Vec::new(),
    })
}

/// A server that answers each connection in turn by what is said of its number and of the path that is asked for.
fn serving(
    answers: impl Fn(usize, &str) -> String + Send + 'static,
    count: usize,
) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for number in 0..count {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = read_head(&mut stream);
            let path = asked.split(' ').nth(1).unwrap().to_owned();
            stream.write_all(answers(number, &path).as_bytes()).unwrap();
        }
    });
    (port, server)
}

fn read_head(stream: &mut impl Read) -> String {
    let mut asked = Vec::new();
    let mut some = [0; 512];
    while !asked.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut some).unwrap();
        assert_ne!(count, 0, "the request has no end");
        asked.extend(&some[..count]);
    }
    String::from_utf8(asked).unwrap()
}

#[test]
fn a_redirect_to_the_same_host_is_followed() {
    let (port, server) = serving(
        |_, path| match path {
            "/old" => "HTTP/1.1 302 Found\r\nLocation: /new\r\n\r\n".to_owned(),
            "/new" => "HTTP/1.1 503 Busy\r\n\r\n".to_owned(),
            path => panic!("{path}"),
        },
        2,
    );
    let busy = failed("the status is 503");
    assert_eq!(ask(get(port, "/old", Scheme::Http), PATIENCE_MS), busy);
    server.join().unwrap();
}

#[test]
fn a_redirect_elsewhere_is_an_answer() {
    let (port, server) = serving(
        |_, _| "HTTP/1.1 301 Moved\r\nLocation: http://elsewhere.lan/\r\n\r\n".to_owned(),
        1,
    );
    let outcome = ask(get(port, "/", Scheme::Http), PATIENCE_MS);
    assert_eq!(outcome, ProbeOutcome::Passed);
    server.join().unwrap();
}

#[test]
fn redirects_are_followed_for_a_while() {
    let (port, server) = serving(
        |number, _| format!("HTTP/1.1 307 Again\r\nLocation: /{number}\r\n\r\n"),
        11,
    );
    let again = failed("the answer is a redirect, again and again");
    assert_eq!(ask(get(port, "/", Scheme::Http), PATIENCE_MS), again);
    server.join().unwrap();
}

#[test]
fn headers_that_do_not_end_are_not_listened_to_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        let mut said = 0;
        // Until nobody listens any more.
        while said < 16 << 20 && stream.write_all(&[b'x'; 4096]).is_ok() {
            said += 4096;
        }
        said
    });
    let endless = failed("the answer is none of HTTP");
    assert_eq!(ask(get(port, "/", Scheme::Http), 60_000), endless);
    assert!(server.join().unwrap() < 16 << 20);
}

/// A server over TLS, whose certificate nobody vouches for.
fn serving_tls(
    answer: &'static [u8],
    versions: &'static [&'static rustls::SupportedProtocolVersion],
) -> (u16, std::thread::JoinHandle<()>) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = CertificateDer::from_pem_slice(include_bytes!("data/certificate.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("data/key.pem"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        read_head(&mut tls);
        tls.write_all(answer).unwrap();
        tls.flush().unwrap();
    });
    (port, server)
}

#[test]
fn a_server_over_tls_is_asked_whoever_vouches_for_it() {
    static ONLY_13: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    static ONLY_12: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    for versions in [&ONLY_13, &ONLY_12] {
        let (port, server) = serving_tls(b"HTTP/1.1 200 OK\r\n\r\n", versions);
        let outcome = ask(get(port, "/", Scheme::Https), PATIENCE_MS);
        assert_eq!(outcome, ProbeOutcome::Passed);
        server.join().unwrap();
        let (port, server) = serving_tls(b"HTTP/1.1 500 Bad\r\n\r\n", versions);
        let outcome = ask(get(port, "/", Scheme::Https), PATIENCE_MS);
        assert_eq!(outcome, failed("the status is 500"));
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_does_not_speak_tls_is_told_from_one_that_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").unwrap();
        // Until the other side has hung up.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let ProbeOutcome::Failed { reason } = ask(get(port, "/", Scheme::Https), PATIENCE_MS) else {
        panic!("it is not well");
    };
    assert!(reason.contains("the connection failed"), "{reason}");
    server.join().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let late = failed("there was no answer in time");
    assert_eq!(ask(get(port, "/", Scheme::Https), 100), late);
}

#[test]
fn the_health_service_of_grpc_is_asked() {
    let grpc = |port| ProbeAction::Grpc {
        port,
        service: String::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut some = [0; 512];
        // The empty request is the last that is said.
        while !asked.ends_with(b"\0\0\0\x01\0\0\0\0\0") {
            let count = stream.read(&mut some).unwrap();
            asked.extend(&some[..count]);
        }
        let parts: [&[u8]; 4] = [
            b"\0\0\0\x04\0\0\0\0\0",
            b"\0\0\x01\x01\x04\0\0\0\x01\x88",
            b"\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01",
            b"\0\0\x0f\x01\x05\0\0\0\x01\0\x0bgrpc-status\x010",
        ];
        for part in parts {
            stream.write_all(part).unwrap();
        }
        // What the client says to that is taken too: who hangs up before resets the connection.
        stream.read_to_end(&mut asked).unwrap();
    });
    assert_eq!(ask(grpc(port), PATIENCE_MS), ProbeOutcome::Passed);
    server.join().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || drop(listener.accept().unwrap()));
    assert!(matches!(
        ask(grpc(port), PATIENCE_MS),
        ProbeOutcome::Failed { .. }
    ));
    server.join().unwrap();
}
