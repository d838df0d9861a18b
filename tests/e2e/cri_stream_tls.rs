//! Streams that are encrypted.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cri_streaming::client::{Certificate, ClientError, PortForward, RemoteCommand};
use cri_streaming::http::Framing;
use harness::{Authority, CertificateFiles, CertificateUse, Cri};

use crate::cri_containers::{Ground, idle};
use crate::cri_sandbox;
use crate::cri_streams::{PIPES, PROTOCOLS, WITH_AN_END, forward_url, pattern};

/// What a client trusts in.
fn trust(authority: &Authority) -> Vec<Certificate> {
    let text = fs::read_to_string(authority.certificate()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    let bytes = STANDARD.decode(lines.collect::<String>()).unwrap();
    vec![bytes.into()]
}

/// Puts files in the place of those that the shim serves with.
fn install(files: &CertificateFiles, directory: &Path) {
    for (from, to) in [(&files.certificate, "tls.crt"), (&files.key, "tls.key")] {
        let new = directory.join("new");
        fs::copy(from, &new).unwrap();
        fs::rename(new, directory.join(to)).unwrap();
    }
}

/// A sandbox of a shim that serves with certificates of this authority.
fn ground(authority: &Authority) -> Ground {
    let mut ground = Ground::new();
    let directory = ground.host.base().join("tls");
    fs::create_dir(&directory).unwrap();
    install(&authority.issue("node", CertificateUse::Server), &directory);
    let text = format!(
        "[cri]\nnetwork = \"none\"\nstream-certificate = {:?}\nstream-key = {:?}\n",
        directory.join("tls.crt"),
        directory.join("tls.key"),
    );
    ground.host.write("etc/config.toml", &text);
    ground.cri.restart();
    ground
}

fn run(ground: &Ground, id: &str, trust: &[Certificate]) -> Result<Vec<u8>, ClientError> {
    let url = ground.exec_url(id, &["/bin/echo", "hello"], &["stdout"]);
    let (framing, protocol) = PROTOCOLS[0];
    let session = RemoteCommand::open(&url.unwrap(), framing, &[protocol], &["stdout"], trust)?;
    Ok(session.finish().stdout)
}

#[test]
fn commands_and_ports_are_served_over_tls() {
    let authority = Authority::new();
    let ground = ground(&authority);
    let id = ground.run(&idle("web"));
    let trust = trust(&authority);
    let bytes = pattern(1 << 20);
    for (framing, protocol) in WITH_AN_END {
        let url = ground.exec_url(&id, &["/bin/cat"], &PIPES).unwrap();
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        let opened = RemoteCommand::open(&url, framing, &[protocol], &PIPES, &trust);
        let mut session = opened.unwrap();
        session.write(&bytes).unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        assert!(outcome.stdout == bytes, "{} bytes", outcome.stdout.len());
        assert!(outcome.orderly);
    }
    let url = forward_url(&ground.cri, &ground.sandbox, &[]).unwrap();
    let protocols = ["portforward.k8s.io"];
    let mut session = PortForward::open(&url, Framing::Spdy, &protocols, &trust).unwrap();
    let pair = session.connect(7002).unwrap();
    let (_, error) = session.finish(pair).unwrap();
    assert!(error.contains("nobody listens"), "{error}");
    // Who doesn't speak it is not served, and who doesn't trust it doesn't come.
    assert!(run(&ground, &id, &[]).is_err());
    assert!(run(&ground, &id, &self::trust(&Authority::new())).is_err());
}

#[test]
fn a_certificate_that_takes_the_place_of_another_one_is_served_from_then_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let ground = ground(&old);
    let id = ground.run(&idle("web"));
    let (by_old, by_new) = (trust(&old), trust(&new));
    assert_eq!(run(&ground, &id, &by_old).unwrap(), b"hello\n");
    let url = ground.exec_url(&id, &["/bin/cat"], &PIPES).unwrap();
    let (framing, protocol) = PROTOCOLS[0];
    let opened = RemoteCommand::open(&url, framing, &[protocol], &PIPES, &by_old);
    let mut session = opened.unwrap();
    let directory = ground.host.base().join("tls");
    install(&new.issue("node", CertificateUse::Server), &directory);
    assert_eq!(run(&ground, &id, &by_new).unwrap(), b"hello\n");
    assert!(run(&ground, &id, &by_old).is_err());
    // Sessions from before go on.
    session.write(b"still").unwrap();
    session.end_stdin().unwrap();
    assert_eq!(session.finish().stdout, b"still");
    // What can't be used changes nothing.
    fs::write(directory.join("tls.crt"), "no certificate").unwrap();
    assert_eq!(run(&ground, &id, &by_new).unwrap(), b"hello\n");
}

/// What the server answers to a request over TLS that is no upgrade; nothing if it doesn't talk to this client.
fn asked(url: &str, client: Option<&CertificateFiles>) -> String {
    let rest = url.strip_prefix("https://").unwrap();
    let (address, path) = rest.split_once('/').unwrap();
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", address]);
    if let Some(files) = client {
        command.arg("-cert").arg(&files.certificate);
        command.arg("-key").arg(&files.key);
    }
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = pipes.spawn().unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    // It may have hung up.
    let _ = running
        .stdin
        .as_mut()
        .unwrap()
        .write_all(request.as_bytes());
    String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn with_authorities_of_clients_a_url_is_not_enough() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut ground = ground(&authority);
    let config = ground.host.base().join("etc/config.toml");
    let settings = fs::read_to_string(&config).unwrap();
    let line = format!("stream-client-ca = {:?}\n", authority.certificate());
    fs::write(&config, settings + &line).unwrap();
    ground.cri.restart();
    let id = ground.run(&idle("web"));
    let url = ground.exec_url(&id, &["/bin/true"], &["stdout"]).unwrap();
    let known = authority.issue("kubelet", CertificateUse::Client);
    let unknown = stranger.issue("kubelet", CertificateUse::Client);
    for nobody in [None, Some(&unknown)] {
        assert_eq!(asked(&url, nobody), "");
    }
    let answer = asked(&url, Some(&known));
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    // Nor does who can speak all the rest.
    assert!(run(&ground, &id, &trust(&authority)).is_err());
}

#[test]
fn a_shim_with_files_that_can_not_be_used_does_not_start_and_names_them() {
    let host = cri_sandbox::host();
    let start = |settings: &str| {
        let text = format!("[cri]\nnetwork = \"none\"\n{settings}");
        host.write("etc/config.toml", &text);
        Cri::refused(&host)
    };
    let one = start("stream-certificate = \"/none\"\n");
    assert!(
        one.contains("stream-certificate and stream-key go together"),
        "{one}"
    );
    let without = start("stream-client-ca = \"/none\"\n");
    let needed = "stream-client-ca needs stream-certificate and stream-key";
    assert!(without.contains(needed), "{without}");
    let missing = start("stream-certificate = \"/none\"\nstream-key = \"/none\"\n");
    assert!(
        missing.contains("/none: no certificate in PEM"),
        "{missing}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taken = start(&format!("stream-address = \"{address}\"\n"));
    let told = format!("cannot listen on {address} for streams");
    assert!(taken.contains(&told), "{taken}");
}
