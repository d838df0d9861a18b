//! TLS, with certificates that openssl makes.

use std::path::Path;
use std::process::Command;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::local::{server_with, wanted};
use crate::client::{ClientError, PortForward, RemoteCommand};
use crate::http::Framing;
use crate::{Config, TlsError, TlsFiles};

fn openssl(dir: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(dir);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and a certificate of it for 127.0.0.1.
fn certificates(dir: &Path) -> TlsFiles {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        dir,
        &format!("req -x509 {curve} -keyout ca.key -out ca.crt -subj /CN=ca -days 2"),
    );
    openssl(
        dir,
        &format!("req {curve} -keyout node.key -out node.csr -subj /CN=node"),
    );
    std::fs::write(
        dir.join("ext"),
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let sign = "x509 -req -in node.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2";
    openssl(dir, &format!("{sign} -extfile ext -out node.crt"));
    let (certificate, key) = (dir.join("node.crt"), dir.join("node.key"));
    TlsFiles {
        certificate,
        key,
        client_authorities: None,
    }
}

#[test]
fn everything_is_served_over_tls_too() {
    let dir = tempfile::tempdir().unwrap();
    let tls = certificates(dir.path()).load().unwrap();
    let (server, _) = server_with(Config {
        tls: Some(tls),
        ..Config::default()
    });
    let trust = [CertificateDer::from_pem_file(dir.path().join("ca.crt")).unwrap()];
    let streams = ["stdin", "stdout"];
    for (framing, protocol) in [
        (Framing::Spdy, "v4.channel.k8s.io"),
        (Framing::WebSocket, "v5.channel.k8s.io"),
    ] {
        let url = server.exec("cat".into(), wanted(&streams)).unwrap();
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        let mut session =
            RemoteCommand::open(&url, framing, &[protocol], &streams, &trust).unwrap();
        session.write(&[7; 1_000_000]).unwrap();
        session.end_stdin().unwrap();
        let outcome = session.finish();
        assert_eq!(outcome.stdout.len(), 1_000_000);
        assert!(outcome.orderly);
    }
    let url = server.port_forward((), vec![]).unwrap();
    let protocol = "SPDY/3.1+portforward.k8s.io";
    let mut session = PortForward::open(&url, Framing::WebSocket, &[protocol], &trust).unwrap();
    let pair = session.connect(1).unwrap();
    let (_, error) = session.finish(pair).unwrap();
    assert!(error.starts_with("error forwarding port 1: "), "{error}");
}

#[test]
fn files_that_are_replaced_are_used_as_soon_as_they_fit_together() {
    let (dir, next) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = certificates(dir.path());
    let (server, local) = server_with(Config {
        tls: Some(files.load().unwrap()),
        ..Config::default()
    });
    let authority = |dir: &Path| [CertificateDer::from_pem_file(dir.join("ca.crt")).unwrap()];
    let (old, new) = (authority(dir.path()), {
        certificates(next.path());
        authority(next.path())
    });
    let is_served = |trust: &[CertificateDer<'static>]| {
        let url = server.exec("echo hi".into(), wanted(&["stdout"])).unwrap();
        let protocols = ["v4.channel.k8s.io"];
        let opened = RemoteCommand::open(&url, Framing::Spdy, &protocols, &["stdout"], trust);
        opened.is_ok_and(|session| session.finish().stdout == b"hi\n")
    };
    let replace = |name: &str| {
        let there = dir.path().join("new");
        std::fs::copy(next.path().join(name), &there).unwrap();
        std::fs::rename(there, dir.path().join(name)).unwrap();
    };
    assert!(is_served(&old) && !is_served(&new));
    replace("node.crt");
    assert!(is_served(&old) && is_served(&old) && !is_served(&new));
    let warnings = local.warnings.lock().unwrap().clone();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("node.crt and "), "{warnings:?}");
    replace("node.key");
    assert!(is_served(&new) && !is_served(&old));
    std::fs::remove_file(dir.path().join("node.key")).unwrap();
    assert!(is_served(&new));
    let warnings = local.warnings.lock().unwrap().clone();
    assert!(
        warnings[1].contains("node.key: no private key"),
        "{warnings:?}"
    );
}

#[test]
fn who_has_no_certificate_of_the_authority_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let client_authorities = Some(dir.path().join("ca.crt"));
    let tls = TlsFiles {
        client_authorities,
        ..certificates(dir.path())
    }
    .load()
    .unwrap();
    let (server, _) = server_with(Config {
        tls: Some(tls),
        ..Config::default()
    });
    let trust = [CertificateDer::from_pem_file(dir.path().join("ca.crt")).unwrap()];
    let url = server
        .exec("echo hello".into(), wanted(&["stdout"]))
        .unwrap();
    for trust in [&trust[..], &[]] {
        let protocols = ["v4.channel.k8s.io"];
        let opened = RemoteCommand::open(&url, Framing::Spdy, &protocols, &["stdout"], trust);
        assert!(matches!(
            opened,
            Err(ClientError::Io(_) | ClientError::Other(_))
        ));
    }
}

#[test]
fn files_that_can_not_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = certificates(dir.path());
    let (key, certificate) = (good.key.clone(), good.certificate.clone());
    for (files, named) in [
        (
            TlsFiles {
                key: certificate.clone(),
                ..good.clone()
            },
            "node.crt: no private key in PEM",
        ),
        (
            TlsFiles {
                certificate: key,
                ..good.clone()
            },
            "node.key: no certificate in PEM",
        ),
        (
            TlsFiles {
                certificate: "/none".into(),
                ..good.clone()
            },
            "/none: no certificate in PEM",
        ),
        (
            TlsFiles {
                key: dir.path().join("ca.key"),
                ..good.clone()
            },
            "node.crt and ",
        ),
    ] {
        let error: TlsError = files.load().unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
}
