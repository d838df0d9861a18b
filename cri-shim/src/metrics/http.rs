//! Serves metrics to Prometheus: one path, one request for each connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::exposition::text;
use super::listed::of_all;
use super::seats::{Seat, Seats};
use crate::error::CriError;
use crate::journal::{self, Priority};
use crate::listen::patiently;
use crate::shim::Shim;

/// How long a client may take for its request, and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a request that are read.
const REQUEST_MAX: usize = 16 << 10;

/// Serves `/metrics` at this address from now on.
///
/// # Errors
/// If nobody can listen there.
pub(crate) fn serve(shim: &Arc<Shim>, address: SocketAddr) -> Result<(), CriError> {
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let listener = patiently(is_taken, || TcpListener::bind(address))
        .map_err(CriError::io(format!("serve metrics at {address}")))?;
    let shim = Arc::clone(shim);
    let thread = thread::Builder::new().name("metrics".to_owned());
    thread
        .spawn(move || accept(&shim, &listener))
        .map_err(CriError::io("start a thread"))?;
    Ok(())
}

fn accept(shim: &Arc<Shim>, listener: &TcpListener) {
    let shim = Arc::clone(shim);
    let metrics: Measure = Arc::new(move || {
        let all = of_all(&shim).map_err(|error| format!("{error}\n"))?;
        let all: Vec<_> = all
            .into_iter()
            .flat_map(|(_, sandbox, containers)| std::iter::once(sandbox).chain(containers))
            .collect();
        Ok(text(&all))
    });
    let seats = Seats::default();
    for client in listener.incoming() {
        // Who can't be served is closed.
        let begun = client.and_then(|client| begin(client, &seats, &metrics));
        if let Err(error) = begun {
            journal::line(Priority::Warning, &format!("metrics: {error}"));
            // As many descriptors as there are, are open: some will be closed.
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What is told to who asks.
type Measure = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

fn begin(client: TcpStream, seats: &Seats, metrics: &Measure) -> io::Result<()> {
    let Some(seat) = seats.take(&client)? else {
        return Ok(());
    };
    let metrics = Arc::clone(metrics);
    let thread = thread::Builder::new().name("metrics-client".to_owned());
    thread.spawn(move || {
        // Who goes away needs no answer.
        let _ = answer(&client, &seat, &*metrics);
    })?;
    Ok(())
}

fn answer(
    client: &TcpStream,
    seat: &Seat,
    metrics: &(dyn Fn() -> Result<String, String> + Send + Sync),
) -> io::Result<()> {
    let request = read_head(client)?;
    let (status, body) = match wanted(&request) {
        Wanted::Metrics => match seat.keep(metrics) {
            Ok(text) => ("200 OK", text),
            Err(text) => ("500 Internal Server Error", text),
        },
        Wanted::Elsewhere => ("404 Not Found", "only /metrics is here\n".to_owned()),
        Wanted::Unknown => ("400 Bad Request", "only GET is known\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut rest = format!("{head}{body}").into_bytes();
    let until = Instant::now() + PATIENCE;
    while !rest.is_empty() {
        client.set_write_timeout(Some(left(until)?))?;
        let written = (&mut &*client).write(&rest)?;
        rest.drain(..written);
    }
    Ok(())
}

/// A request to its end: else the answer could be lost with what was not read. Its first line counts.
fn read_head(mut client: &TcpStream) -> io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let (mut head, mut buffer) = (Vec::new(), [0; 2048]);
    while !is_whole(&head) && head.len() < REQUEST_MAX {
        client.set_read_timeout(Some(left(until)?))?;
        match client.read(&mut buffer)? {
            0 => break,
            length => head.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
    }
    let line = head.split(|byte| *byte == b'\n').next();
    Ok(String::from_utf8_lossy(line.unwrap_or_default()).into_owned())
}

/// Whether the empty line at the end of a head is there.
fn is_whole(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n');
    let ended = head.iter().filter(|byte| **byte == b'\n').count();
    lines.take(ended).any(|line| matches!(line, [] | [b'\r']))
}

/// What is left of a client's time.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Metrics,
    Elsewhere,
    Unknown,
}

/// What the first line of a request wants.
fn wanted(line: &str) -> Wanted {
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(path), Some(version)) if version.starts_with("HTTP/1.") => {
            match path.split('?').next() {
                Some("/metrics") => Wanted::Metrics,
                _ => Wanted::Elsewhere,
            }
        }
        _ => Wanted::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_is_served() {
        assert_eq!(wanted("GET /metrics HTTP/1.1\r\n"), Wanted::Metrics);
        assert_eq!(wanted("GET /metrics?x=1 HTTP/1.0\r\n"), Wanted::Metrics);
        assert_eq!(wanted("GET / HTTP/1.1\r\n"), Wanted::Elsewhere);
        for other in [
            "",
            "\r\n",
            "POST /metrics HTTP/1.1",
            "GET /metrics",
            "\u{0}",
        ] {
            assert_eq!(wanted(other), Wanted::Unknown, "{other:?}");
        }
    }

    #[test]
    fn the_empty_line_ends_a_request() {
        for (head, whole) in [
            ("", false),
            ("GET / HTTP/1.1\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.0\n\n", true),
        ] {
            assert_eq!(is_whole(head.as_bytes()), whole, "{head:?}");
        }
    }

    /// A server of one line, and where it is.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let metrics: Measure = Arc::new(|| Ok("up 1\n".to_owned()));
        thread::spawn(move || {
            let seats = Seats::default();
            for client in listener.incoming() {
                begin(client.unwrap(), &seats, &metrics).unwrap();
            }
        });
        address
    }

    fn scraped(address: SocketAddr) -> String {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn clients_that_are_slow_with_their_requests_keep_nobody_else_waiting() {
        let address = server();
        let slow: Vec<_> = (0..40)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.write_all(b"GET /metrics").unwrap();
                client
            })
            .collect();
        let begun = Instant::now();
        for _ in 0..3 {
            assert!(scraped(address).ends_with("\r\n\r\nup 1\n"));
        }
        assert!(begun.elapsed() < PATIENCE);
        drop(slow);
    }

    #[test]
    fn a_request_that_comes_byte_by_byte_has_one_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let begun = Instant::now();
        let reading = thread::spawn(move || read_head(&server).unwrap_err());
        while !reading.is_finished() && client.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
        reading.join().unwrap();
        assert!(begun.elapsed() < 2 * PATIENCE);
    }
}
