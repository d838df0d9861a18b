//! A way to a registry that breaks as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http_server::{HttpServer, Request};
use crate::registry::Registry;

/// A body that is longer, in bytes, is a layer's.
const LONG: usize = 64 << 10;
/// In how many pieces a slow one comes.
const PIECES: usize = 20;

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub enum Broken {
    /// The connection ends before anything is answered.
    Dropped,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing comes after so many bytes of the body, until the client gives up.
    Stalled(usize),
    /// The body, if it is a long one, takes so long to come, bit by bit.
    Slow(Duration),
    /// So many bytes of the body come, as if they were all.
    Truncated(usize),
    /// One byte in the middle of the body is another.
    Garbled,
    /// The range that was asked for is left out of the request.
    Whole,
    /// The answer tells another range than it has.
    WrongRange,
    /// This status, headers and body instead of the registry's answer.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
}

struct Rule {
    /// What the line of the request holds.
    part: String,
    left: usize,
    broken: Broken,
}

/// A server that passes requests on to a registry, but for those that it was told to break.
pub struct FaultProxy {
    server: HttpServer,
    rules: Arc<Mutex<Vec<Rule>>>,
}

impl FaultProxy {
    /// Starts a proxy that breaks nothing.
    pub fn start(registry: &Registry) -> Self {
        let backend = registry.address();
        let rules: Arc<Mutex<Vec<Rule>>> = Arc::default();
        let shared = Arc::clone(&rules);
        let server = HttpServer::start(move |request, stream| {
            let broken = {
                let mut rules = shared.lock().expect("no user panics");
                let line = request.line();
                let rule = rules
                    .iter_mut()
                    .find(|rule| rule.left > 0 && line.contains(&rule.part));
                rule.map(|rule| {
                    rule.left -= 1;
                    rule.broken.clone()
                })
            };
            // A client that is gone is none that waits for an answer.
            let _ = answer(backend, request, stream, broken);
        });
        Self { server, rules }
    }

    /// Breaks the next `times` answers to requests whose line (`GET /v2/…`) holds `part`.
    pub fn breaks(&self, part: &str, times: usize, broken: Broken) {
        let part = part.to_owned();
        let mut rules = self.rules.lock().expect("no user panics");
        rules.push(Rule {
            part,
            left: times,
            broken,
        });
    }

    /// `127.0.0.1:PORT/NAME`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.server.address())
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.server.address().to_string()
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

fn answer(
    backend: SocketAddr,
    request: Request,
    mut stream: &TcpStream,
    broken: Option<Broken>,
) -> std::io::Result<()> {
    let request = match broken {
        Some(Broken::Dropped) => return Ok(()),
        Some(Broken::Answer(status, headers, body)) => {
            let mut head = format!(
                "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            return stream.write_all(format!("{head}\r\n{body}").as_bytes());
        }
        Some(Broken::Whole) => request.without("range"),
        _ => request,
    };
    let mut to_backend = TcpStream::connect(backend)?;
    to_backend.write_all(&request.to_bytes())?;
    let mut bytes = Vec::new();
    to_backend.read_to_end(&mut bytes)?;
    let end_of_head = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(bytes.len(), |at| at + 4);
    let mut body = bytes.split_off(end_of_head);
    let mut head = String::from_utf8_lossy(&bytes).into_owned();
    match &broken {
        Some(Broken::Cut(most) | Broken::Stalled(most)) => body.truncate(*most),
        Some(Broken::Truncated(most)) => {
            let announced = format!("Content-Length: {}", body.len());
            body.truncate(*most);
            head = head.replace(&announced, &format!("Content-Length: {}", body.len()));
        }
        Some(Broken::Garbled) => {
            let middle = body.len() / 2;
            if let Some(byte) = body.get_mut(middle) {
                *byte ^= 0xff;
            }
        }
        Some(Broken::WrongRange) => {
            head = head.replace("Content-Range: bytes ", "Content-Range: bytes 1")
        }
        _ => {}
    }
    stream.write_all(head.as_bytes())?;
    match broken {
        Some(Broken::Slow(takes)) if body.len() > LONG => {
            for piece in body.chunks(body.len().div_ceil(PIECES)) {
                stream.write_all(piece)?;
                std::thread::sleep(takes / 20);
            }
        }
        _ => stream.write_all(&body)?,
    }
    if matches!(broken, Some(Broken::Stalled(_))) {
        // Its end is when the client goes.
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}
