//! From a URL to a connection that speaks a protocol.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::http::Framing;
use crate::link::{Heed, Link};
use crate::transport::{Received, Transport};

/// How long anything of a test may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate, as DER.
pub type Certificate = CertificateDer<'static>;

/// Whose certificates a client trusts in. Empty where there is no TLS.
pub type Trust<'a> = &'a [Certificate];

/// Why a client isn't served.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// What the kernel says, or that there was no answer in time.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server's answer, if that isn't an upgrade.
    #[error("{status}: {text}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its text, headers included.
        text: String,
    },
    /// TLS, or an answer that makes no sense.
    #[error("{0}")]
    Other(String),
}

/// An upgraded connection, and the protocol that the server chose.
pub struct Upgraded {
    pub(super) link: Link<'static>,
    /// The protocol that the server chose.
    pub protocol: String,
}

/// Connects to a URL and asks for an upgrade to one of these protocols.
///
/// # Errors
/// [`ClientError`].
pub fn upgrade(
    url: &str,
    framing: Framing,
    protocols: &[&str],
    trust: Trust<'_>,
) -> Result<Upgraded, ClientError> {
    let (_, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let socket = TcpStream::connect(host)?;
    let mut link = Link::new(Transport::new(socket, tls(host, trust)?)?, None);
    let mut request = match framing {
        Framing::Spdy => format!(
            "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
             Content-Length: 0\r\n"
        ),
        Framing::WebSocket => format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        ),
    };
    let header = match framing {
        Framing::Spdy => "X-Stream-Protocol-Version",
        Framing::WebSocket => "Sec-WebSocket-Protocol",
    };
    for protocol in protocols {
        request.push_str(&format!("{header}: {protocol}\r\n"));
    }
    request.push_str("\r\n");
    link.queue(&mut request.into_bytes());
    let protocol = answer(&mut link, header)?;
    Ok(Upgraded { link, protocol })
}

fn tls(host: &str, trust: Trust<'_>) -> Result<Option<rustls::Connection>, ClientError> {
    if trust.is_empty() {
        return Ok(None);
    }
    let other = |error: &dyn std::fmt::Display| ClientError::Other(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in trust {
        roots
            .add(certificate.clone())
            .map_err(|error| other(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| other(&error))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .to_owned();
    let name = ServerName::try_from(name).map_err(|error| other(&error))?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(|error| other(&error))?;
    Ok(Some(client.into()))
}

/// Reads the head of an answer, and what follows it if it is no upgrade.
fn answer(link: &mut Link<'static>, header: &str) -> Result<String, ClientError> {
    let until = Instant::now() + PATIENCE;
    loop {
        link.flush()?;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(link.incoming());
        let parsed = parsed.map_err(|error| ClientError::Other(error.to_string()))?;
        if let httparse::Status::Complete(length) = parsed {
            let status = response.code.unwrap_or_default();
            let named = |known: &str| {
                let found = response
                    .headers
                    .iter()
                    .find(|h| h.name.eq_ignore_ascii_case(known));
                found.map(|found| String::from_utf8_lossy(found.value).into_owned())
            };
            if status == 101 {
                let protocol = named(header).unwrap_or_default();
                link.incoming().drain(..length);
                return Ok(protocol);
            }
            let body = named("content-length").and_then(|length| length.parse().ok());
            if link.incoming().len() >= length + body.unwrap_or(0) {
                let text = String::from_utf8_lossy(link.incoming()).into_owned();
                return Err(ClientError::Refused { status, text });
            }
        }
        step(link, until)?;
    }
}

/// Waits until something has come in, or much has gone out.
pub(super) fn step(link: &mut Link<'static>, until: Instant) -> io::Result<()> {
    let was_congested = link.is_congested();
    link.flush()?;
    if was_congested && !link.is_congested() {
        // Who waits to send can go on.
        return Ok(());
    }
    link.wait(Heed::Input, &[], Some(until))?;
    if Instant::now() >= until {
        return Err(io::ErrorKind::TimedOut.into());
    }
    match link.receive()? {
        Received::Open => Ok(()),
        Received::End => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
