//! A registry of the tests: answers on loopback with what a closure says, one request at a time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "for tests, of this crate and of those above; the names say what is made"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use image_layer::{Limits, sha256};
use image_name::Reference;

use crate::client::Client;
use crate::config::Registries;
use crate::image::RegistryImage;
use crate::retry::Retry;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// An answer; `length` says another `Content-Length` than the body has.
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    length: Option<usize>,
    raw: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            length: None,
            raw: false,
        }
    }

    /// Bytes that are no HTTP.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            raw: true,
            ..Self::new(0, bytes)
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn announcing(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }
}

/// A running server; it lives as long as the process.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub authority: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub fn start(mut answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { break };
                let Some(request) = read(&stream) else {
                    continue;
                };
                let reply = answer(&request);
                log.lock().unwrap().push(request.clone());
                let _ = write(stream, &request, &reply);
            }
        });
        Self { authority, seen }
    }

    /// What has been asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

/// What is kept, by its path.
pub type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A registry that keeps what is written to it, with or without an API for referrers.
pub fn keeping(with_api: bool) -> (Server, Objects) {
    let objects = Objects::default();
    let kept = Arc::clone(&objects);
    let server = Server::start(move |seen| {
        let mut kept = kept.lock().unwrap();
        let path = seen.target.split('?').next().unwrap().to_owned();
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        match seen.method.as_str() {
            "POST" => Reply::new(202, "").header("Location", "/v2/a/blobs/uploads/1?s=s"),
            "PUT" if path.contains("/uploads/") => {
                let digest = sha256(&seen.body);
                assert!(seen.target.ends_with(&format!("digest={digest}")));
                kept.insert(format!("/v2/a/blobs/{digest}"), seen.body.clone());
                Reply::new(201, "")
            }
            "PUT" => {
                let digest = sha256(&seen.body);
                for path in [path, format!("/v2/a/manifests/{digest}")] {
                    kept.insert(path, seen.body.clone());
                }
                match body["subject"]["digest"].as_str() {
                    Some(subject) if with_api => Reply::new(201, "").header("OCI-Subject", subject),
                    _ => Reply::new(201, ""),
                }
            }
            _ => match kept.get(&path) {
                Some(bytes) => Reply::new(200, bytes.clone()),
                None => Reply::new(404, ""),
            },
        }
    });
    (server, objects)
}

/// The image `path` at a server, by a client that knows no credentials and pauses for nothing.
#[must_use]
pub fn image(server: &Server, path: &str) -> RegistryImage {
    let reference = Reference::parse(&format!("{}/{path}", server.authority)).unwrap();
    let registries = Registries::default();
    let mut image = RegistryImage::connect(&reference, &registries, &Limits::default()).unwrap();
    for client in image.places.all() {
        configure(client, Vec::new());
    }
    image
}

/// Lets a client pause for nothing and know only these credentials.
pub(crate) fn configure(client: &mut Client, credentials: Vec<PathBuf>) {
    client.configure(
        credentials,
        Retry {
            pause: Duration::ZERO,
            ..Retry::new(2)
        },
    );
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    if reader.fill_buf().ok()?.first() == Some(&22) {
        return tls_hello(&mut reader);
    }
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = seen
        .header("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    reader.take(length).read_to_end(&mut seen.body).ok()?;
    Some(seen)
}

/// The first record of a TLS handshake, read to its end so that the answer isn't lost.
fn tls_hello(reader: &mut impl Read) -> Option<Seen> {
    let mut head = [0; 5];
    reader.read_exact(&mut head).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    reader.read_exact(&mut body).ok()?;
    Some(Seen {
        method: "TLS".into(),
        target: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
    })
}

fn write(mut stream: TcpStream, request: &Seen, reply: &Reply) -> std::io::Result<()> {
    if reply.raw {
        return stream.write_all(&reply.body);
    }
    let length = reply.length.unwrap_or(reply.body.len());
    let mut head = format!(
        "HTTP/1.1 {} x\r\nContent-Length: {length}\r\nConnection: close\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&reply.body)?;
    }
    stream.flush()
}
